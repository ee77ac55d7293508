//! Progress bars for people who wait: on a terminal, on standard error, gone
//! when the work is done.  In a pipe, a file or under -q: nothing at all.

use std::cell::RefCell;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use undying_graph::Progress;

use crate::signals;

/// Draws the phase at work, and says when the work is to stop.
pub struct Bars {
    shown: bool,
    bar: RefCell<Option<ProgressBar>>,
    stop: Box<dyn Fn() -> bool>,
}

impl Bars {
    /// On standard error if that is a terminal; stopped by [`signals::watch`].
    pub fn new(quiet: bool) -> Bars {
        Bars::stopped_by(quiet, Box::new(signals::stopped))
    }

    /// Stopped when `stop` says so.
    pub fn stopped_by(quiet: bool, stop: Box<dyn Fn() -> bool>) -> Bars {
        Bars { shown: !quiet && std::io::stderr().is_terminal(), bar: RefCell::new(None), stop }
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        if let Some(bar) = self.bar.borrow_mut().take() {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Bars {
    fn phase(&self, name: &str, total: u64) {
        if !self.shown {
            return;
        }
        self.clear();
        let (bar, template) = match total {
            0 => (ProgressBar::new_spinner(), "{msg} {spinner} {human_pos}"),
            n => (ProgressBar::new(n), "{msg} {wide_bar} {percent:>3} % {eta}"),
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        bar.set_message(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        *self.bar.borrow_mut() = Some(bar);
    }

    fn done(&self, steps: u64) {
        if let Some(bar) = &*self.bar.borrow() {
            bar.set_position(steps);
        }
    }

    fn cancelled(&self) -> bool {
        (self.stop)()
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.clear();
    }
}
