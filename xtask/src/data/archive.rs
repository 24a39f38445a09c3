//! Packages by their manager's own client, downloaded without being installed, and single files out of them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use crate::error::{About, Error, Result};
use crate::project::{Project, capture, files_below, not_started};
use crate::stamp::hex;

/// `npm pack`: a package's archive.
pub fn npm(project: &Project, folder: &Path, package: &str) -> Result<PathBuf> {
    capture(project.command("npm").args(["pack", package, "--silent", "--pack-destination"]).arg(folder))?;
    only_file(folder)
}

/// `pip download`: a package's wheel, the same on every machine, whatever its own Python.
pub fn pip(project: &Project, folder: &Path, package: &str) -> Result<PathBuf> {
    let platform = ["--platform", "manylinux2014_x86_64", "--python-version", "3.11", "--implementation", "cp"];
    pip_download(project, folder, package, &[&["--only-binary=:all:"][..], &platform].concat())
}

/// The same for a package's sources.
pub fn pip_source(project: &Project, folder: &Path, package: &str) -> Result<PathBuf> {
    pip_download(project, folder, package, &["--no-binary=:all:"])
}

fn pip_download(project: &Project, folder: &Path, package: &str, arguments: &[&str]) -> Result<PathBuf> {
    let python = ["python3", "python"].into_iter().find(|python| project.first_line(python, &["-m", "pip", "--version"]).is_some());
    let python = python.ok_or_else(|| {
        Error::new("no Python with pip is on the PATH").hint("install Python 3 with pip (on Debian: apt-get install python3-pip)")
    })?;
    let mut pip = project.command(python);
    pip.args(["-m", "pip", "download", package, "--no-deps", "--quiet", "--disable-pip-version-check"]);
    capture(pip.args(arguments).arg("--dest").arg(folder))?;
    only_file(folder)
}

/// Whether Debian's package manager is there; what it would bring has a publisher's address too.
pub fn has_apt(project: &Project) -> bool {
    project.first_line("apt-get", &["--version"]).is_some()
}

/// `apt-get download`: a Debian package, unpacked into a tar archive.
pub fn debian(project: &Project, folder: &Path, package: &str) -> Result<Vec<u8>> {
    capture(project.command("apt-get").args(["download", package]).current_dir(folder))
        .map_err(|error| error.hint("run `apt-get update` as root, then the command again"))?;
    let package = only_file(folder)?;
    output(project.command("dpkg-deb").arg("--fsys-tarfile").arg(&package))
}

/// One file of a Debian package without Debian's tools: an `ar` archive has a tar archive in it, whose compression the system's `tar` knows.
pub fn from_deb(project: &Project, folder: &Path, package: &[u8], file: &str) -> Result<Vec<u8>> {
    let (name, data) = member(package, "data.tar").ok_or_else(|| Error::new("the download is no Debian package"))?;
    fs::write(folder.join(&name), data).about(|| &name)?;
    let mut tar = project.command("tar");
    tar.args(["--extract", "--to-stdout", "--file", &name, &format!("./{file}")]).current_dir(folder);
    output(&mut tar).map_err(|error| error.hint("install tar and xz, then run the command again"))
}

/// The first file of an `ar` archive whose name begins so: each has a header of 60 bytes and an even length.
fn member<'a>(archive: &'a [u8], beginning: &str) -> Option<(String, &'a [u8])> {
    let mut rest = archive.strip_prefix(b"!<arch>\n")?;
    loop {
        let (header, body) = rest.split_at_checked(60)?;
        let field = |range: std::ops::Range<usize>| std::str::from_utf8(&header[range]).ok().map(str::trim);
        let (name, size) = (field(0..16)?.trim_end_matches('/'), field(48..58)?.parse::<usize>().ok()?);
        let contents = body.get(..size)?;
        if name.starts_with(beginning) {
            return Some((name.to_owned(), contents));
        }
        rest = body.get(size + size % 2..)?;
    }
}

/// A file from its publisher's own address.
pub fn fetch(project: &Project, folder: &Path, address: &str) -> Result<Vec<u8>> {
    let file = folder.join(address.rsplit('/').next().unwrap_or(address));
    let mut curl = project.command("curl");
    curl.args(["--fail", "--location", "--silent", "--show-error", "--output"]).arg(&file).arg(address);
    let hint = "check the connection, then run the command again; or drop the set's official files onto the page";
    capture(&mut curl).map_err(|error| error.hint(hint))?;
    let contents = read(&file)?;
    println!("  downloaded {:.1} MB", contents.len() as f64 / 1e6);
    Ok(contents)
}

/// What a command prints, byte for byte.
fn output(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().map_err(|error| not_started(command, &error))?;
    if output.status.success() { Ok(output.stdout) } else { Err(Error::new(String::from_utf8_lossy(&output.stderr))) }
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let files = files_below(folder)?;
    match files.as_slice() {
        [file] => {
            let size = fs::metadata(file).about(|| file.display())?.len();
            println!("  downloaded {:.1} MB", size as f64 / 1e6);
            Ok(file.clone())
        }
        _ => Err(Error::new(format!("the download left {} files instead of one", files.len()))),
    }
}

/// Files of a `.tgz`, in the order of `wanted`.
pub fn from_tgz<const N: usize>(archive: &Path, wanted: [&str; N]) -> Result<[Vec<u8>; N]> {
    from_tar(GzDecoder::new(File::open(archive).about(|| archive.display())?), wanted)
}

/// Files of a tar archive, in the order of `wanted`.
pub fn from_tar<const N: usize>(archive: impl Read, wanted: [&str; N]) -> Result<[Vec<u8>; N]> {
    let mut found = [const { None }; N];
    for entry in tar::Archive::new(archive).entries().about(|| "archive")? {
        let mut entry = entry.about(|| "archive")?;
        let path = entry.path().about(|| "archive")?.to_string_lossy().into_owned();
        if let Some(at) = wanted.iter().position(|name| *name == path.trim_start_matches("./")) {
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).about(|| path)?;
            found[at] = Some(contents);
        }
    }
    if let Some(at) = found.iter().position(Option::is_none) {
        return Err(Error::new(format!("the archive holds no {}", wanted[at])));
    }
    Ok(found.map(Option::unwrap_or_default))
}

/// The files of a `.tgz` whose paths are wanted, by path.
pub fn tree_of_tgz(archive: &[u8], wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(GzDecoder::new(archive)).entries().about(|| "archive")? {
        let mut entry = entry.about(|| "archive")?;
        let path = entry.path().about(|| "archive")?.to_string_lossy().into_owned();
        if wanted(&path) {
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).about(|| &path)?;
            files.insert(path, contents);
        }
    }
    Ok(files)
}

/// One file of a zip archive (a wheel is one).
pub fn from_zip(archive: &Path, name: &str) -> Result<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(File::open(archive).about(|| archive.display())?).about(|| "archive")?;
    let mut contents = Vec::new();
    archive.by_name(name).about(|| name)?.read_to_end(&mut contents).about(|| name)?;
    Ok(contents)
}

/// The files of a zip archive whose paths are wanted, by path.
pub fn tree_of_zip(archive: &[u8], wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).about(|| "archive")?;
    let mut files = BTreeMap::new();
    for at in 0..archive.len() {
        let mut file = archive.by_index(at).about(|| "archive")?;
        let name = file.name().about(|| "archive")?.into_owned();
        if wanted(&name) {
            let mut contents = Vec::new();
            file.read_to_end(&mut contents).about(|| &name)?;
            files.insert(name, contents);
        }
    }
    Ok(files)
}

/// Contents of a file.
pub fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).about(|| file.display())
}

/// Contents of a gzipped file.
pub fn gunzip(packed: &[u8]) -> Result<Vec<u8>> {
    let mut contents = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut contents).about(|| "gzip")?;
    Ok(contents)
}

/// Passes the contents on if they have the SHA-256 that this version of the program knows.
pub fn verified(name: &str, contents: Vec<u8>, sha256: &str) -> Result<Vec<u8>> {
    let found = hex(&Sha256::digest(&contents));
    if found == sha256 {
        return Ok(contents);
    }
    let why = format!("{name} is not the file that is expected\nSHA-256 found:    {found}\nSHA-256 expected: {sha256}");
    Err(Error::new(why).hint("a registry or a proxy delivers something else under this version; do not use it"))
}

#[cfg(test)]
mod tests {
    use flate2::{Compression, write::GzEncoder};

    use super::*;
    use crate::project::empty_folder;

    /// A Debian package with one file.
    fn package(path: &str, contents: &[u8]) -> Result<Vec<u8>> {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().expect("GNU's header").name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, contents).about(|| "tar")?;
        let data = tar.into_inner().and_then(GzEncoder::finish).about(|| "tar")?;
        let part = |name: &str, contents: &[u8]| {
            let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, contents.len());
            [header.as_bytes(), contents, &b"\n"[..contents.len() % 2]].concat()
        };
        Ok([b"!<arch>\n".to_vec(), part("debian-binary", b"2.0"), part("data.tar.gz/", &data)].concat())
    }

    #[test]
    fn what_has_no_package_manager_is_fetched_unpacked_and_verified() -> Result<()> {
        let root = std::env::temp_dir().join(format!("gradscope-archive-{}", std::process::id()));
        empty_folder(&root)?;
        let project = Project { root: root.clone(), target: root.join("target") };
        let package = package("./usr/share/poem", b"two\nlines\n")?;
        assert_eq!(from_deb(&project, &root, &package, "usr/share/poem")?, b"two\nlines\n");
        assert!(from_deb(&project, &root, &package, "usr/share/prose").is_err());
        for length in [0, 7, 40, 100, package.len() - 1] {
            assert!(member(&package[..length], "data.tar").is_none(), "{length} bytes");
        }

        let told =
            verified("poem", b"another".to_vec(), &hex(&Sha256::digest(b"poem"))).expect_err("another file").during("data").to_string();
        assert!(told.contains("why: poem is not the file that is expected") && told.contains("do: "), "{told}");
        // Nobody listens there, as nobody does anywhere without a connection.
        let told = fetch(&project, &root, "http://127.0.0.1:1/poem").expect_err("no connection").during("data").to_string();
        assert!(told.starts_with("failed: data\n   why: `curl") && told.contains("do: "), "{told}");
        fs::remove_dir_all(&root).about(|| root.display())
    }
}
