//! The command line, or one sentence on what is wrong with it.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser};

use crate::args::Arguments;
use crate::failure::{Exit, Failure};

/// What the command line says.
pub enum Parsed {
    /// A command.
    Arguments(Box<Arguments>),
    /// Help or the version, which go to standard output.
    Help(String),
}

/// Reads the command line.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Parsed, Failure> {
    let arguments: Vec<OsString> = arguments.collect();
    let e = match Arguments::try_parse_from(&arguments) {
        Ok(parsed) => return Ok(Parsed::Arguments(Box::new(parsed))),
        Err(e) => e,
    };
    match e.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(Parsed::Help(e.render().to_string())),
        _ => {
            let named = arguments.iter().skip(1).filter_map(|a| a.to_str());
            let command = named.into_iter().find(|a| Arguments::command().find_subcommand(a).is_some());
            let help = command.map_or("undying --help".into(), |c| format!("undying {c} --help"));
            Err(Failure::new(Exit::Usage, format!("{}; {help} says what it takes", sentence(&e))))
        }
    }
}

/// The reason without the usage and tips that clap puts below it.
fn sentence(e: &clap::Error) -> String {
    match e.kind() {
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return "no command was given".into();
        }
        ErrorKind::MissingRequiredArgument => {
            if let Some(ContextValue::Strings(missing)) = e.get(ContextKind::InvalidArg) {
                return format!("{} is missing", missing.join(" and "));
            }
        }
        _ => {}
    }
    let text = e.render().to_string();
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix("error: ").unwrap_or(first).trim_end_matches(['.', ':']).to_owned()
}
