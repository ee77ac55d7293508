//! placeholder

pub mod layout;
