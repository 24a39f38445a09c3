//! Data sets: what is read, what is generated, and what is said of bad files.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use gradscope::data::{DataKind, Dataset, Idx, Manifest, Split, catalogue, gunzip};
use gradscope::error::{Error, ErrorCode};
use gradscope::tensor::Cells;
use gradscope::tensor::Rng;

fn idx(shape: &[u32], values: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, shape.len() as u8];
    file.extend(shape.iter().flat_map(|size| size.to_be_bytes()));
    file.extend_from_slice(values);
    file
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

const MANIFEST: &str = r#"{ "name": "tiny", "title": "Tiny", "source": "here", "licence": "none", "kind": "image", "shape": [2, 2, 1], "max": 16,
    "classes": ["a", "b", "c"], "train": { "x": "train-x.idx.gz", "y": "train-y.idx.gz", "count": 3 },
    "test": { "x": "test-x.idx.gz", "y": "test-y.idx.gz", "count": 1 }, "bytes": 100 }"#;

fn files() -> [Vec<u8>; 4] {
    [
        gzip(&idx(&[3, 2, 2], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16])),
        gzip(&idx(&[3], &[0, 2, 1])),
        gzip(&idx(&[1, 2, 2], &[16, 0, 0, 8])),
        gzip(&idx(&[1], &[1])),
    ]
}

fn read(files: &[Vec<u8>; 4]) -> Result<Dataset, Error> {
    let manifest = Manifest::parse(MANIFEST).expect("a manifest");
    Dataset::from_files(&manifest, files.to_vec(), 8)
}

#[test]
fn an_installed_set_is_read() {
    let set = read(&files()).expect("a data set");
    assert_eq!((set.train.count, set.test.count), (3, 1));
    assert_eq!(set.train.x.shape, [2, 2, 1]);
    assert_eq!(set.train.x.gather(&[2, 0]), [0.5, 9.0 / 16.0, 10.0 / 16.0, 1.0, 0.0, 1.0 / 16.0, 2.0 / 16.0, 3.0 / 16.0]);
    assert_eq!(set.train.y.gather(&[0, 1, 2]), [0.0, 2.0, 1.0]);
    assert!(matches!(set.train.x.cells, Cells::Bytes { .. }));
    assert_eq!(set.info.classes, ["a", "b", "c"]);
}

#[test]
fn files_that_are_not_gzipped_any_more_are_read_too() {
    let unpacked = files().map(|file| gunzip("file", &file, 1000).expect("gzip"));
    assert_eq!(read(&unpacked).expect("a data set"), read(&files()).expect("a data set"));
}

#[test]
fn floats_are_read() {
    let mut file = vec![0, 0, 0x0D, 2, 0, 0, 0, 1, 0, 0, 0, 2];
    file.extend(1.5f32.to_be_bytes());
    file.extend((-2.0f32).to_be_bytes());
    let idx = Idx::parse("x", file).expect("floats");
    assert_eq!((idx.shape, idx.cells), (vec![1, 2], vec![1.5f32, -2.0].into()));
}

#[test]
fn every_truncation_is_an_error_that_names_the_file() {
    let whole = idx(&[3, 2, 2], &[7; 12]);
    for len in 0..whole.len() {
        let error = Idx::parse("train-x.idx", whole[..len].to_vec()).expect_err("truncated");
        assert_eq!((error.code, error.at.as_deref()), (ErrorCode::BadFile, Some("train-x.idx")));
        assert_eq!(error.args["format"], "idx");
    }
    let packed = files();
    for (which, file) in packed.iter().enumerate() {
        for len in 0..file.len() {
            let mut cut = packed.clone();
            cut[which].truncate(len);
            let error = read(&cut).expect_err("truncated");
            assert_eq!(error.code, ErrorCode::BadFile, "file {which} cut to {len} bytes: {error}");
            assert_eq!(error.at.as_deref(), Some(Manifest::parse(MANIFEST).expect("a manifest").files()[which].as_str()));
        }
    }
}

#[test]
fn mutated_files_never_panic_and_never_fill_the_memory() {
    let mut rng = Rng::new(5, 0);
    let (plain, packed) = (files().map(|file| gunzip("file", &file, 1000).expect("gzip")), files());
    for round in 0..20_000 {
        let mut mutated = if round % 2 == 0 { plain.clone() } else { packed.clone() };
        for _ in 0..=rng.below(4) {
            let file = &mut mutated[rng.below(4)];
            let at = rng.below(file.len());
            match rng.below(3) {
                0 => file[at] ^= 1 << rng.below(8),
                1 => file[at] = rng.below(256) as u8,
                _ => {
                    file.insert(at, rng.below(256) as u8);
                }
            }
        }
        if let Err(error) = read(&mutated) {
            let typed = [ErrorCode::BadFile, ErrorCode::CountMismatch, ErrorCode::LabelOutOfRange];
            assert!(typed.contains(&error.code), "{error}");
        }
    }
}

#[test]
fn garbage_is_refused() {
    for garbage in [&b"<!doctype html><html></html>"[..], &[0; 64], &[0xFF; 64], &[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3]] {
        let mut bad = files();
        bad[1] = garbage.to_vec();
        let error = read(&bad).expect_err("garbage");
        assert_eq!((error.code, error.at.as_deref()), (ErrorCode::BadFile, Some("train-y.idx.gz")));
    }
    // A header that promises 2^96 bytes.
    let error = Idx::parse("x", idx(&[u32::MAX; 3], &[])).expect_err("too much");
    assert_eq!(error.code, ErrorCode::BadFile);
}

#[test]
fn a_bomb_does_not_fill_the_memory() {
    let bomb = gzip(&vec![0; 50_000_000]);
    assert!(bomb.len() < 300_000);
    let error = gunzip("bomb.gz", &bomb, 1000).expect_err("too much");
    assert_eq!(error.code, ErrorCode::BadFile);
    assert!(error.message.contains("1000 bytes"));
}

#[test]
fn images_and_labels_of_different_number_are_refused() {
    let mut bad = files();
    bad[1] = gzip(&idx(&[2], &[0, 2]));
    let error = read(&bad).expect_err("a label missing");
    assert_eq!(error.code, ErrorCode::CountMismatch);
    assert_eq!((error.args["left"].as_str(), error.args["right"].as_str()), ("3", "2"));
    let error = Dataset::from_arrays(vec![0.0; 12], &[3, 4], vec![0.0; 4]).expect_err("a label too many");
    assert_eq!(error.code, ErrorCode::CountMismatch);
}

#[test]
fn labels_out_of_range_are_refused() {
    let mut bad = files();
    bad[1] = gzip(&idx(&[3], &[0, 3, 1]));
    let error = read(&bad).expect_err("no class 3");
    assert_eq!((error.code, error.at.as_deref()), (ErrorCode::LabelOutOfRange, Some("train-y.idx.gz")));
    assert_eq!(error.message, "label 3 of example 1 is not one of 3 classes");
    for label in [-1.0, 2.0, 0.5, f32::NAN] {
        let set = Dataset::from_arrays(vec![0.0; 2], &[2, 1], vec![1.0, label]).expect("arrays");
        assert_eq!(set.train.check_labels(2).expect_err("bad").code, ErrorCode::LabelOutOfRange);
    }
}

#[test]
fn arrays_are_checked() {
    let set = Dataset::from_arrays(vec![0.0; 12], &[3, 2, 2], vec![0.0; 6]).expect("arrays");
    assert_eq!((set.train.count, set.train.x.shape.as_slice(), set.train.y.shape.as_slice()), (3, &[2, 2][..], &[2][..]));
    let bad = |x: usize, shape: &[usize], y: usize| Dataset::from_arrays(vec![0.0; x], shape, vec![0.0; y]).expect_err("bad").code;
    assert_eq!(bad(11, &[3, 2, 2], 3), ErrorCode::WrongLength);
    assert_eq!(bad(0, &[], 0), ErrorCode::BadShape);
    assert_eq!(bad(0, &[0, 2], 0), ErrorCode::EmptySplit);
    assert_eq!(bad(8, &[2, usize::MAX, 4], 2), ErrorCode::WrongLength);
}

#[test]
fn labels_become_what_the_loss_wants() {
    let set = read(&files()).expect("a data set");
    assert_eq!(set.train.targets(&[]).expect("indices").gather(&[1]), [2.0]);
    assert_eq!(set.train.targets(&[1]).expect("one number").shape, [1]);
    assert_eq!(set.train.targets(&[3]).expect("one-hot").gather(&[0, 1]), [1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(set.train.targets(&[2]).expect_err("two classes").code, ErrorCode::LabelOutOfRange);
    assert_eq!(set.train.targets(&[2, 2]).expect_err("an image").code, ErrorCode::ShapeMismatch);
}

#[test]
fn splits_are_taken_from_the_end_and_empty_ones_refused() {
    let set = Dataset::generated("moons").expect("moons");
    let rows = |split, fraction| set.rows(split, fraction).map(|(part, rows)| (part.count, rows));
    assert_eq!(rows(Split::Train, 0.2).expect("rows"), (800, 0..640));
    assert_eq!(rows(Split::Validation, 0.2).expect("rows"), (800, 640..800));
    assert_eq!(rows(Split::Test, 0.2).expect("rows"), (200, 0..200));
    assert_eq!(rows(Split::Validation, 0.0).expect_err("none").code, ErrorCode::EmptySplit);
    assert_eq!(rows(Split::Train, f32::NAN).expect_err("no share").code, ErrorCode::BadValue);
}

#[test]
fn generated_sets_are_what_they_say() {
    for info in catalogue(&[]).into_iter().filter(|info| info.installed) {
        let set = Dataset::generated(&info.name).expect("generated");
        assert_eq!(set, Dataset::generated(&info.name).expect("the same again"));
        assert_eq!((set.info.train, set.info.test), (set.train.count, set.test.count));
        assert_eq!(set.info, info);
        for part in [&set.train, &set.test] {
            assert_eq!(part.x.len(), part.count * part.x.width());
            assert_eq!(part.y.len(), part.count * part.y.width());
            let most = if info.kind == DataKind::Pairs { info.classes.len() as f32 } else { 6.0 };
            assert!((0..part.x.len()).all(|index| part.x.cell(index).abs() < most));
        }
        if info.kind == DataKind::Points {
            let classes = info.classes.len();
            set.train.check_labels(classes).expect("labels of these classes");
            for class in 0..classes {
                let count = (0..set.train.count).filter(|&index| set.train.y.cell(index) == class as f32).count();
                let share = count as f32 / set.train.count as f32;
                assert!((share * classes as f32 - 1.0).abs() < 0.15, "{}, class {class}: {count} of {}", info.name, set.train.count);
            }
        }
    }
    assert_eq!(Dataset::generated("suns").expect_err("none").code, ErrorCode::UnknownName);
    let days = Dataset::generated("linear-regression-standardised").expect("days").train.x.gather(&[0, 1, 2, 3, 4]);
    assert!(days.iter().sum::<f32>().abs() < 1e-6);
    assert!((days.iter().map(|day| day * day).sum::<f32>() - 5.0).abs() < 1e-5);
}

#[test]
fn the_catalogue_says_what_is_installed() {
    let manifest = Manifest::parse(MANIFEST).expect("a manifest");
    let sets = catalogue(std::slice::from_ref(&manifest));
    let installed = |name: &str| sets.iter().find(|set| set.name == name).map(|set| set.installed);
    assert_eq!(installed("tiny"), Some(true));
    assert_eq!(installed("mnist"), Some(false));
    assert_eq!(installed("spiral"), Some(true));
    assert_eq!(sets.iter().filter(|set| set.name == "mnist").count(), 1);
}

#[test]
fn bad_manifests_are_refused() {
    let cases = [
        ("{", ErrorCode::BadFile, "dataset.json"),
        ("[]", ErrorCode::BadValue, "dataset.json"),
        (&MANIFEST.replace("\"count\": 3", "\"count\": -3"), ErrorCode::BadValue, "dataset.json.train.count"),
        (&MANIFEST.replace("\"max\": 16", "\"max\": 0"), ErrorCode::BadValue, "dataset.json.max"),
        (&MANIFEST.replace("[2, 2, 1]", "[2, 0, 1]"), ErrorCode::BadValue, "dataset.json.shape"),
        (&MANIFEST.replace("[2, 2, 1]", "[16777216, 16777216, 16777216]"), ErrorCode::BadValue, "dataset.json.shape"),
        (&MANIFEST.replace("\"image\"", "\"sound\""), ErrorCode::BadValue, "dataset.json.kind"),
        (&MANIFEST.replace("\"shape\"", "\"form\""), ErrorCode::BadValue, "dataset.json.shape"),
    ];
    for (text, code, place) in cases {
        let error = Manifest::parse(text).expect_err("a bad manifest");
        assert_eq!((error.code, error.at.as_deref()), (code, Some(place)), "{error}");
    }
    let text = r#"{ "name": "words", "title": "Words", "source": "here", "licence": "none", "kind": "text", "text": "text.txt.gz", "characters": -1 }"#;
    let error = Manifest::parse(text).expect_err("a negative number of characters");
    assert_eq!((error.code, error.at.as_deref()), (ErrorCode::BadValue, Some("dataset.json.characters")));
    let words = Manifest::parse(&text.replace("-1", "100")).expect("a text's manifest");
    assert_eq!((words.info.kind, words.info.train, words.files()), (DataKind::Text, 100, &["text.txt.gz".to_owned()][..]));
    assert_eq!(Manifest::parse_index(&format!("[{MANIFEST}, {MANIFEST}]")).expect("two sets").len(), 2);
    assert_eq!(Manifest::parse_index("{}").expect_err("no list").code, ErrorCode::BadFile);
}

#[test]
fn a_publishers_own_files_are_taken_in_any_order() {
    let image = |seed: u8| (0..64).map(move |i| (i + seed) % 17);
    let many: Vec<u8> = (0..3).flat_map(image).collect();
    let files = [
        ("t10k-labels".to_owned(), idx(&[1], &[7])),
        ("train-images".to_owned(), gzip(&idx(&[3, 8, 8], &many))),
        ("train-labels".to_owned(), idx(&[3], &[1, 2, 3])),
        ("t10k-images".to_owned(), idx(&[1, 8, 8], &image(5).collect::<Vec<_>>())),
    ];
    let set = Dataset::from_official("digits", &files).expect("a data set");
    assert_eq!((set.train.count, set.test.count, set.info.classes.len()), (3, 1, 10));
    assert_eq!(set.train.y.gather(&[0, 1, 2]), [1.0, 2.0, 3.0]);
    assert_eq!((set.train.x.cell(16), set.test.x.cell(0), set.test.y.cell(0)), (1.0, 5.0 / 16.0, 7.0));

    let training = Dataset::from_official("digits", &files[1..3]).expect("a data set without a test part");
    assert_eq!((training.train.count, training.test.count), (3, 0));

    let code = |name: &str, files: &[(String, Vec<u8>)]| Dataset::from_official(name, files).expect_err("bad").code;
    assert_eq!(code("digits", &files[1..2]), ErrorCode::BadFile);
    assert_eq!(code("digits", &files[..2]), ErrorCode::CountMismatch);
    assert_eq!(code("digits", &[]), ErrorCode::BadFile);
    assert_eq!(code("moons", &files), ErrorCode::UnknownName);
    assert_eq!(code("mnist", &files), ErrorCode::BadFile, "images of another size");
    let wrong = [files[1].clone(), ("train-labels".to_owned(), idx(&[3], &[1, 2, 10]))];
    assert_eq!(code("digits", &wrong), ErrorCode::LabelOutOfRange);
}

/// A record of CIFAR-10's binary version: the class, then the planes of red, green and blue.
fn record(class: u8) -> Vec<u8> {
    let plane = |colour: u8| (0..1024u32).map(move |pixel| (pixel % 250) as u8 + colour);
    std::iter::once(class).chain((0..3).flat_map(plane)).collect()
}

/// A tar archive of some files.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, contents) in files {
        let mut header = [0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", contents.len()).as_bytes());
        header[257..262].copy_from_slice(b"ustar");
        archive.extend_from_slice(&header);
        archive.extend_from_slice(contents);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

#[test]
fn cifar_is_taken_from_batches_or_from_its_archive() {
    let batches =
        [("data_batch_2.bin", [record(9)].concat()), ("test_batch.bin", record(4)), ("data_batch_1.bin", [record(3), record(0)].concat())];
    let own = batches.clone().map(|(name, bytes)| (name.to_owned(), bytes));
    let set = Dataset::from_official("cifar10", &own).expect("a data set");
    assert_eq!((set.train.count, set.test.count, &set.info.shape[..]), (3, 1, &[32, 32, 3][..]));
    assert_eq!((set.train.y.gather(&[0, 1, 2]), set.test.y.gather(&[0])), (vec![3.0, 0.0, 9.0], vec![4.0]));
    assert_eq!(set.info.classes[9], "truck");
    // Pixel 7: the three colours lie side by side.
    assert_eq!([21, 22, 23].map(|cell| (set.train.x.value(2, cell) * 255.0).round()), [7.0, 8.0, 9.0]);

    let member = |name: &'static str| ["cifar-10-batches-bin/", name].concat();
    let names = batches.each_ref().map(|(name, _)| member(name));
    let mut members: Vec<(&str, &[u8])> = names.iter().zip(&batches).map(|(name, (_, bytes))| (name.as_str(), &bytes[..])).collect();
    members.sort();
    members.push(("cifar-10-batches-bin/readme.html", b"<a>"));
    for archive in [tar(&members), gzip(&tar(&members))] {
        let again = Dataset::from_official("cifar10", &[("cifar-10-binary.tar.gz".to_owned(), archive)]).expect("a data set");
        assert_eq!(again, set);
    }
}

#[test]
fn bad_cifar_files_say_what_is_wrong() {
    let error = |name: &str, bytes: Vec<u8>| Dataset::from_official("cifar10", &[(name.to_owned(), bytes)]).expect_err("a bad file");
    let whole = [record(1), record(2)].concat();
    let archive = tar(&[("data_batch_1.bin", &whole)]);
    let packed = gzip(&archive);
    let cases = [
        ("data_batch_1.bin", whole[..5000].to_vec(), "data_batch_1.bin ends after 1927 of the 3073 bytes of a picture"),
        ("data_batch_1.bin", whole[..100].to_vec(), "data_batch_1.bin ends after 100 of the 3073 bytes of a picture"),
        ("cifar.tar", archive[..4000].to_vec(), "data_batch_1.bin ends after 415 of the 3073 bytes of a picture"),
        ("test_batch.bin", whole.clone(), "there is no data_batch_1.bin to data_batch_5.bin"),
        ("empty", Vec::new(), "there is no data_batch_1.bin to data_batch_5.bin"),
    ];
    for (name, bytes, reason) in cases {
        let error = error(name, bytes);
        assert_eq!(error.code, ErrorCode::BadFile);
        assert!(error.message.contains(reason), "{name}: {error}");
    }
    for end in [3, 30, packed.len() / 2, packed.len() - 3] {
        assert_eq!(error("cifar-10-binary.tar.gz", packed[..end].to_vec()).code, ErrorCode::BadFile, "{end} of {} bytes", packed.len());
    }
    let mut nameless = archive;
    nameless[124..135].copy_from_slice(b"nonsense   ");
    assert_eq!(error("cifar.tar", nameless).code, ErrorCode::BadFile);
    assert_eq!(error("data_batch_1.bin", record(10)).code, ErrorCode::LabelOutOfRange);
    assert_eq!(error("test_batch.bin", record(1).repeat(10_001)).code, ErrorCode::BadFile, "more than the test part holds");
}
