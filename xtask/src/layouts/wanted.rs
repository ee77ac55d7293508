//! What layouts/fields.toml asks for and which builds layouts/builds.toml names.
//! Knows nothing of where the answers come from.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// One C name, or several of which the first that exists counts.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Names {
    /// The only name.
    One(String),
    /// In order of preference.
    Many(Vec<String>),
}

impl Names {
    /// In order of preference.
    pub fn all(&self) -> &[String] {
        match self {
            Names::One(name) => std::slice::from_ref(name),
            Names::Many(names) => names,
        }
    }
}

/// A structure of which single fields are wanted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The C structure.
    #[serde(rename = "struct")]
    pub record: Names,
    /// Whether the structure's own size is wanted.
    #[serde(default)]
    pub size: bool,
    /// Our name to C path.
    pub fields: BTreeMap<String, Names>,
}

/// A simple builtin type of which every reference is wanted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// `tp_name`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The C structure.
    #[serde(rename = "struct")]
    pub record: Names,
    /// Paths that are no owned references.
    #[serde(default)]
    pub skip: Vec<String>,
    /// C path to the name Python shows.
    #[serde(default)]
    pub rename: BTreeMap<String, String>,
}

/// layouts/fields.toml.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// By group name.
    pub group: BTreeMap<String, Group>,
    /// In the order of the file.
    pub object: Vec<Object>,
}

/// A build whose debug information makes a table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// `major.minor.patch`.
    pub version: String,
    /// `default`, or how else it was configured.
    #[serde(default = "default_flavour")]
    pub flavour: String,
    /// First and last patch number the table speaks for.
    #[serde(default = "every_patch")]
    pub patches: (u8, u8),
    /// Other patch releases whose headers were found to agree.
    #[serde(default)]
    pub agrees: Vec<String>,
}

fn default_flavour() -> String {
    "default".to_string()
}

fn every_patch() -> (u8, u8) {
    (0, u8::MAX)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Builds {
    build: Vec<Build>,
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("cannot parse {}", path.display()))
}

impl Wanted {
    /// Reads layouts/fields.toml.
    pub fn read(directory: &Path) -> Result<Wanted> {
        parse(&directory.join("fields.toml"))
    }
}

impl Build {
    /// Reads layouts/builds.toml.
    pub fn read_all(directory: &Path) -> Result<Vec<Build>> {
        Ok(parse::<Builds>(&directory.join("builds.toml"))?.build)
    }

    /// `3.11`.
    pub fn minor(&self) -> &str {
        self.version.rsplit_once('.').map_or(&self.version, |(minor, _)| minor)
    }

    /// The name of the table's file.
    pub fn file_name(&self) -> String {
        let flavour = match self.flavour.as_str() {
            "default" => String::new(),
            other => format!("-{other}"),
        };
        let range = match self.patches {
            (0, u8::MAX) => String::new(),
            (from, _) => format!("-from-{from}"),
        };
        format!("{}{flavour}{range}.toml", self.minor())
    }
}
