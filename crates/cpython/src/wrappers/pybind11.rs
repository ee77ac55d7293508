//! pybind11, 2.6 to 3.1: `detail::instance` (detail/common.h), and `detail::type_info`
//! (detail/internals.h) of its classes.

use undying_memory::Memory;

use super::{Native, name_at};
use crate::object;
use crate::space::Body;
use crate::visit::Context;

/// The C++ type of a class.
#[derive(Clone, Debug)]
pub struct CppType {
    /// Its name.
    pub name: String,
    /// Its `std::type_info`.
    pub information: u64,
}

/// The base of all classes.
pub const BASE: &str = "pybind11_object";

/// The value and its holder, or `values_and_holders` and `status`.
const VALUE: u32 = 16;
const STATUS: u32 = 24;
/// `weakrefs`, and behind it the flags.
const WEAKREFS: i64 = 40;
const FLAGS: u32 = 48;
const OWNED: u8 = 1;
const SIMPLE: u8 = 2;
const HOLDER: u8 = 4;
/// `status_holder_constructed`.
const STATUS_HOLDER: u8 = 1;

/// What an object says; its native type is found with the pointers to its class.
pub fn read(cx: &Context, body: Body) -> Option<Native> {
    let class = cx.space.body(body.word(object::TYPE))?;
    if class.signed(cx.layout.type_.weaklistoffset) != WEAKREFS {
        return None;
    }
    let flags = body.byte(FLAGS);
    let simple = flags & SIMPLE != 0;
    let (address, holder) = match simple {
        true => (body.word(VALUE), flags & HOLDER != 0),
        false => {
            let status = cx.space.body(body.word(STATUS))?.byte(0);
            (cx.space.image.word_at(body.word(VALUE))?, status & STATUS_HOLDER != 0)
        }
    };
    Some(Native { address, owned: Some(flags & OWNED != 0), holder: Some(holder), ..Native::default() })
}

/// The C++ type of a class, if a `type_info` of pybind11 lies at `record`, whose first word
/// is the class: `type`, `cpptype`, `type_size`, `type_align`, `holder_size_in_ptrs`.
pub fn cpp_type(cx: &Context, record: Body) -> Option<CppType> {
    let (cpptype, size, align, holder) = (record.word(8), record.word(16), record.word(24), record.word(32));
    if !(1..=1 << 40).contains(&size) || !align.is_power_of_two() || align > 4096 || holder > 64 {
        return None;
    }
    // `std::type_info` of the Itanium C++ ABI: a table of functions, the name
    let name = cx.space.word(cpptype.checked_add(8)?).ok()?;
    let mangled = name_at(cx.space, name)?;
    Some(CppType { name: demangled(mangled.trim_start_matches('*'))?, information: cpptype })
}

/// `4Mesh` and `N5shape4MeshE` as C++ writes them; other names as they are.
fn demangled(mangled: &str) -> Option<String> {
    if !mangled.starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit()) {
        return None;
    }
    let inner = mangled.strip_prefix('N').and_then(|m| m.strip_suffix('E')).unwrap_or(mangled);
    let (mut rest, mut parts) = (inner, Vec::new());
    while let Some(digits) = rest.find(|c: char| !c.is_ascii_digit()).filter(|&d| d > 0) {
        let length: usize = rest[..digits].parse().ok()?;
        let Some(part) = rest.get(digits..).and_then(|r| r.get(..length)).filter(|p| !p.is_empty()) else { break };
        parts.push(part);
        rest = &rest[digits + length..];
    }
    Some(if rest.is_empty() && !parts.is_empty() { parts.join("::") } else { mangled.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::demangled;

    #[test]
    fn plain_and_nested_names_are_read_and_others_left() {
        let is = |mangled: &str| demangled(mangled);
        assert_eq!(is("4Mesh").as_deref(), Some("Mesh"));
        assert_eq!(is("N5shape4MeshE").as_deref(), Some("shape::Mesh"));
        assert_eq!(is("St6vectorIiSaIiEE").as_deref(), Some("St6vectorIiSaIiEE"));
        assert_eq!(is("4Me").as_deref(), Some("4Me"));
        assert_eq!(is("99999999999999999999x"), None);
        assert_eq!(is("hello"), None);
        assert_eq!(is(""), None);
    }
}
