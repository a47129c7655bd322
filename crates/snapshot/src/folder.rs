//! Folders by file descriptor: every name is one path component, symbolic links are never followed.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::error::StoreError;

const DIR_MODE: Mode = Mode::from_raw_mode(0o755);
const FILE_MODE: Mode = Mode::from_raw_mode(0o644);

/// Moves to the place from which so many bytes are left, or to the beginning.
fn from_end(file: &mut File, most: u64) -> io::Result<()> {
    let skipped = match most {
        u64::MAX => 0,
        most => file.metadata()?.len().saturating_sub(most),
    };
    if skipped > 0 {
        file.seek(SeekFrom::Start(skipped))?;
    }
    Ok(())
}

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// Opens the folder at a path. The path itself may contain links; paths below the folder may not.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let fd = fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| StoreError::io("open folder", path, error))?;
        Ok(Self {
            fd,
            path: path.to_owned(),
        })
    }

    /// Its path, for messages and for readers that take paths.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a folder below this one; it must not exist.
    pub(crate) fn make(&self, name: &str) -> io::Result<()> {
        Ok(fs::mkdirat(&self.fd, name, DIR_MODE)?)
    }

    /// Opens a folder below this one.
    pub(crate) fn enter(&self, name: &str) -> Result<Self, StoreError> {
        self.open_folder(name)
            .map_err(|error| StoreError::io("open folder", &self.join(name), error))
    }

    fn open_folder(&self, name: &str) -> io::Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = fs::openat(&self.fd, name, flags, Mode::empty())?;
        Ok(Self {
            fd,
            path: self.join(name),
        })
    }

    /// Opens a folder below this one, which is made if it does not exist.
    pub(crate) fn enter_or_make(&self, name: &str) -> Result<Self, StoreError> {
        match self.open_folder(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::io("open folder", &self.join(name), error)),
            Ok(folder) => return Ok(folder),
        }
        match self.make(name) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(StoreError::io("make folder", &self.join(name), error))
            }
            _ => self.enter(name),
        }
    }

    /// Makes a file that must not exist.
    pub(crate) fn create(&self, name: &str) -> Result<File, StoreError> {
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = fs::openat(&self.fd, name, flags, FILE_MODE)
            .map_err(|error| StoreError::io("create file", &self.join(name), error))?;
        Ok(File::from(fd))
    }

    /// Opens a file for reading.
    pub(crate) fn file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(fs::openat(
            &self.fd,
            name,
            flags,
            Mode::empty(),
        )?))
    }

    /// Opens a file for reading, some folders below this one.
    pub(crate) fn file_below(&self, relative: &str) -> io::Result<File> {
        match relative.split_once('/') {
            Some((name, rest)) => self.open_folder(name)?.file_below(rest),
            None => self.file(relative),
        }
    }

    /// Opens a file that is used as a lock and never deleted. Only users who may write to this folder may open it, since any user
    /// who can open it can lock it.
    pub(crate) fn lock_file(&self, name: &str) -> Result<File, StoreError> {
        let failed = |error: Errno| StoreError::io("open lock", &self.join(name), error);
        let writers = fs::fstat(&self.fd).map_err(failed)?.st_mode & 0o222;
        let mode = Mode::from_raw_mode(0o600 | writers | (writers << 1));
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = fs::openat(&self.fd, name, flags, mode).map_err(failed)?;
        let found = fs::fstat(&fd).map_err(failed)?;
        let ours = found.st_uid == rustix::process::geteuid().as_raw();
        if ours && found.st_mode & 0o777 != mode.as_raw_mode() {
            fs::fchmod(&fd, mode).map_err(failed)?;
        }
        Ok(File::from(fd))
    }

    /// The content of a file, `None` where there is none.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read_end(name, u64::MAX)
    }

    /// The last bytes of a file, at most so many; `None` where there is none.
    pub(crate) fn read_end(&self, name: &str, most: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let mut file = match self.file(name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("open file", &self.join(name), error)),
        };
        let mut bytes = Vec::new();
        from_end(&mut file, most)
            .and_then(|()| file.read_to_end(&mut bytes))
            .map_err(|error| StoreError::io("read file", &self.join(name), error))?;
        Ok(Some(bytes))
    }

    /// Writes a new file and makes it durable.
    pub(crate) fn write_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let mut file = self.create(name)?;
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(|error| StoreError::io("write file", &self.join(name), error))
    }

    /// Names in this folder, sorted.
    pub(crate) fn list(&self) -> Result<Vec<String>, StoreError> {
        let failed = |error: rustix::io::Errno| StoreError::io("list folder", &self.path, error);
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&self.fd).map_err(failed)? {
            let name = entry
                .map_err(failed)?
                .file_name()
                .to_string_lossy()
                .into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Gives a file a name in another folder; fails with `AlreadyExists` where that name exists. The old name may remain.
    pub(crate) fn name_new(&self, name: &str, to: &Self, new: &str) -> io::Result<()> {
        match fs::linkat(&self.fd, name, &to.fd, new, AtFlags::empty()) {
            // A file system without hard links, such as exFAT.
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => Ok(
                fs::renameat_with(&self.fd, name, &to.fd, new, RenameFlags::NOREPLACE)?,
            ),
            done => Ok(done?),
        }
    }

    /// Gives a file some folders below this one a second name in another folder; `Unsupported` where the file system has no
    /// such names.
    pub(crate) fn link_below(&self, relative: &str, to: &Self, new: &str) -> io::Result<()> {
        if let Some((name, rest)) = relative.split_once('/') {
            return self.open_folder(name)?.link_below(rest, to, new);
        }
        match fs::linkat(&self.fd, relative, &to.fd, new, AtFlags::empty()) {
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {
                Err(io::ErrorKind::Unsupported.into())
            }
            done => Ok(done?),
        }
    }

    /// Moves a file over another name, in one step.
    pub(crate) fn rename_over(&self, name: &str, to: &Self, new: &str) -> io::Result<()> {
        Ok(fs::renameat(&self.fd, name, &to.fd, new)?)
    }

    /// Makes a symbolic link.
    pub(crate) fn symlink(&self, target: impl AsRef<OsStr>, name: &str) -> io::Result<()> {
        Ok(fs::symlinkat(target.as_ref(), &self.fd, name)?)
    }

    /// Target of a symbolic link.
    pub(crate) fn target(&self, name: &str) -> Option<String> {
        fs::readlinkat(&self.fd, name, Vec::new())
            .ok()
            .map(|target| target.to_string_lossy().into_owned())
    }

    /// Removes a name, if it is there.
    pub(crate) fn remove(&self, name: &str) {
        let _ = fs::unlinkat(&self.fd, name, AtFlags::empty());
    }

    /// Removes an empty folder, if it is there.
    pub(crate) fn remove_folder(&self, name: &str) {
        let _ = fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR);
    }

    /// Removes a file of this folder, a link as such; returns its size, `None` where there is none. A folder is no file.
    pub(crate) fn remove_file(&self, name: &str) -> io::Result<Option<u64>> {
        let size = match self.size(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            size => size?,
        };
        fs::unlinkat(&self.fd, name, AtFlags::empty())?;
        Ok(Some(size))
    }

    /// Size of a file.
    pub(crate) fn size(&self, name: &str) -> io::Result<u64> {
        Ok(
            u64::try_from(fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)?.st_size)
                .unwrap_or(0),
        )
    }

    /// Makes the names in this folder durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(fs::fsync(self.fd.as_fd())?)
    }

    /// The kind of the file system, if it is one on which the store cannot guarantee atomic publishing: locks, links and fsync
    /// of such file systems depend on a server or another program.
    pub(crate) fn unsupported(&self) -> Result<Option<&'static str>, StoreError> {
        let found =
            fs::fstatfs(&self.fd).map_err(|error| StoreError::io("statfs", &self.path, error))?;
        // Magic numbers of linux/magic.h; 32 bits, whatever the width of the field.
        Ok(match found.f_type as u32 {
            0x6969 => Some("NFS"),
            0x517b | 0xff53_4d42 | 0xfe53_4d42 => Some("SMB"),
            0x6573_5546 => Some("FUSE"),
            0x0102_1997 => Some("9P"),
            _ => None,
        })
    }
}
