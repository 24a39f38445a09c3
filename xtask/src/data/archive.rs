//! Packages by their manager's own client, downloaded without being installed, and single files out of them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use crate::error::{About, Error, Result};
use crate::project::{Project, capture, files_below};
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

/// `apt-get download`: a Debian package, unpacked into a tar archive.
pub fn debian(project: &Project, folder: &Path, package: &str) -> Result<Vec<u8>> {
    if project.first_line("apt-get", &["--version"]).is_none() {
        let why = format!("it comes from the Debian package {package}, and this system has no apt-get");
        return Err(Error::new(why).hint("drop the set's official files onto the page instead"));
    }
    capture(project.command("apt-get").args(["download", package]).current_dir(folder))
        .map_err(|error| error.hint("run `apt-get update` as root, then the command again"))?;
    let package = only_file(folder)?;
    let mut unpack = project.command("dpkg-deb");
    let output = unpack.arg("--fsys-tarfile").arg(&package).output().about(|| "dpkg-deb")?;
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
