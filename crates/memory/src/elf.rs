//! The little of the ELF format (System V ABI, elf(5)) that is needed of 64-bit x86
//! files: numbers, fields of records, notes.  Reads no files.

pub(crate) const PT_LOAD: u32 = 1;
pub(crate) const PT_DYNAMIC: u32 = 2;
pub(crate) const PT_NOTE: u32 = 4;
pub(crate) const PF_X: u32 = 1;
pub(crate) const PF_W: u32 = 2;
pub(crate) const SHT_SYMTAB: u32 = 2;
pub(crate) const SHT_NOTE: u32 = 7;
pub(crate) const SHT_DYNSYM: u32 = 11;
pub(crate) const SHF_ALLOC: u64 = 2;
pub(crate) const SHN_UNDEF: u16 = 0;
pub(crate) const SHN_ABS: u16 = 0xfff1;
pub(crate) const SHN_XINDEX: u16 = 0xffff;
pub(crate) const STB_LOCAL: u8 = 0;
pub(crate) const STT_OBJECT: u8 = 1;
pub(crate) const STT_FUNC: u8 = 2;
pub(crate) const STT_SECTION: u8 = 3;
pub(crate) const STT_FILE: u8 = 4;
pub(crate) const STT_TLS: u8 = 6;
pub(crate) const STT_GNU_IFUNC: u8 = 10;
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const EM_X86_64: u16 = 62;
const NT_GNU_BUILD_ID: u32 = 3;

/// Little-endian fields of a record.
pub(crate) trait Field {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]>;

    fn u16(&self, at: usize) -> Option<u16> {
        self.bytes(at).map(u16::from_le_bytes)
    }
    fn u32(&self, at: usize) -> Option<u32> {
        self.bytes(at).map(u32::from_le_bytes)
    }
    fn u64(&self, at: usize) -> Option<u64> {
        self.bytes(at).map(u64::from_le_bytes)
    }
}

impl Field for [u8] {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.get(at..at.checked_add(N)?)?.try_into().ok()
    }
}

/// Whether these are the first bytes of a little-endian 64-bit x86 program or library.
pub(crate) fn is_ours(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF\x02\x01")
        && matches!(head.u16(16), Some(ET_EXEC | ET_DYN))
        && head.u16(18) == Some(EM_X86_64)
}

/// The build identifier among notes (each: name length, length, type, name, content,
/// the last two padded to 4 bytes).
pub(crate) fn build_id(mut notes: &[u8]) -> Option<Vec<u8>> {
    loop {
        let (name, length, kind) = (notes.u32(0)? as usize, notes.u32(4)? as usize, notes.u32(8)?);
        let content = 12usize.checked_add(name.checked_next_multiple_of(4)?)?;
        let id = notes.get(content..content.checked_add(length)?)?;
        if kind == NT_GNU_BUILD_ID && notes.get(12..16) == Some(b"GNU\0") && !id.is_empty() {
            return Some(id.to_vec());
        }
        notes = notes.get(content.checked_add(length.checked_next_multiple_of(4)?)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_identifier_is_found_behind_other_notes() {
        let note = |kind: u32, name: &[u8], content: &[u8]| {
            let mut out: Vec<u8> = Vec::new();
            [name.len() as u32, content.len() as u32, kind].iter().for_each(|n| out.extend(n.to_le_bytes()));
            for part in [name, content] {
                out.extend(part);
                out.resize(out.len().next_multiple_of(4), 0);
            }
            out
        };
        let other = note(1, b"GNU\0", b"abi");
        let id = note(3, b"GNU\0", b"0123456789abcdefghij");
        assert_eq!(build_id(&[other.clone(), id.clone()].concat()).unwrap(), b"0123456789abcdefghij");
        assert_eq!(build_id(&other), None);
        assert_eq!(build_id(&id[..20]), None);
        assert_eq!(build_id(&[0xff; 64]), None);
    }
}
