//! The one interface through which bytes are read, and its one error.

use std::fmt;

/// Bytes that could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// First address asked for.
    pub address: u64,
    /// How many bytes were asked for.
    pub length: u64,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes at {:#x} cannot be read", self.length, self.address)
    }
}

impl std::error::Error for Fault {}

/// A target's memory.
pub trait Memory {
    /// Fill `buffer` from `address`, all of it or none.
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault>;

    /// The bytes themselves where they are held here.
    fn slice(&self, _address: u64, _length: u64) -> Option<&[u8]> {
        None
    }

    /// One little-endian 64-bit word.
    fn word(&self, address: u64) -> Result<u64, Fault> {
        let mut b = [0; 8];
        self.read(address, &mut b)?;
        Ok(u64::from_le_bytes(b))
    }

    /// One little-endian 32-bit word.
    fn half(&self, address: u64) -> Result<u32, Fault> {
        let mut b = [0; 4];
        self.read(address, &mut b)?;
        Ok(u32::from_le_bytes(b))
    }

    /// A NUL-terminated string of at most `limit` bytes, without the NUL; bytes that
    /// are no UTF-8 are replaced.
    fn c_string(&self, address: u64, limit: usize) -> Result<String, Fault> {
        let mut out = Vec::new();
        let mut at = address;
        while out.len() < limit {
            // up to the next page's edge, so that a string at the end of a mapping is read
            let room = (4096 - at % 4096).min((limit - out.len()) as u64) as usize;
            let mut chunk = vec![0; room.min(256)];
            self.read(at, &mut chunk)?;
            if let Some(end) = chunk.iter().position(|&b| b == 0) {
                out.extend_from_slice(&chunk[..end]);
                break;
            }
            out.extend_from_slice(&chunk);
            at = at.wrapping_add(chunk.len() as u64);
        }
        Ok(String::from_utf8_lossy(&out).into_owned())
    }
}
