//! Encoding beside the walk: full pages go to one thread, empty ones come back.
//! Few pages are under way at a time, so memory stays bounded.  Knows pages and
//! threads, no columns.

use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use super::edges::{EdgePage, Edges, Texts};
use super::objects::{ObjectPage, Objects};

/// Pages that may wait; one more is being encoded, one of each kind being filled.
const WAITING: usize = 4;

enum Job {
    Objects(ObjectPage),
    /// The table's place in the encoder's list, and a page for it.
    Edges(usize, EdgePage),
    /// Labels that pages to come may use.
    Texts(Texts),
}

/// The encoder's end of the two big tables.
pub(super) struct Encoder {
    jobs: Option<SyncSender<Job>>,
    spent: Receiver<Job>,
    thread: Option<JoinHandle<io::Result<()>>>,
    object_pages: Vec<ObjectPage>,
    edge_pages: Vec<EdgePage>,
}

impl Encoder {
    /// Starts the thread.
    pub fn start(objects: Objects, edges: [Edges; 2]) -> io::Result<Encoder> {
        let (jobs, todo) = sync_channel(WAITING);
        let (done, spent) = channel();
        let work = move || run(objects, edges, &todo, &done);
        let thread = std::thread::Builder::new().name("undying-encode".into()).spawn(work)?;
        let (object_pages, edge_pages) = (Vec::new(), Vec::new());
        Ok(Encoder { jobs: Some(jobs), spent, thread: Some(thread), object_pages, edge_pages })
    }

    /// Hands a page of objects over.
    pub fn objects(&mut self, page: ObjectPage) -> io::Result<()> {
        self.send(Job::Objects(page))
    }

    /// Hands a page of references over, for one of the tables of references.
    pub fn edges(&mut self, table: usize, page: EdgePage) -> io::Result<()> {
        self.send(Job::Edges(table, page))
    }

    /// A page to fill: one that came back, or a new one.
    pub fn empty_objects(&mut self) -> ObjectPage {
        self.take_back();
        self.object_pages.pop().unwrap_or_else(ObjectPage::new)
    }

    /// A page to fill: one that came back, or a new one.
    pub fn empty_edges(&mut self) -> EdgePage {
        self.take_back();
        self.edge_pages.pop().unwrap_or_else(EdgePage::new)
    }

    /// Tells labels, in the order of their numbers, before the pages that use them.
    pub fn texts(&mut self, texts: Texts) -> io::Result<()> {
        self.send(Job::Texts(texts))
    }

    fn send(&mut self, job: Job) -> io::Result<()> {
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if !sent {
            // The thread has ended, and only an error ends it early.
            self.finish()?;
            return Err(io::Error::other("the encoder has stopped"));
        }
        Ok(())
    }

    fn take_back(&mut self) {
        for job in self.spent.try_iter() {
            match job {
                Job::Objects(page) => self.object_pages.push(page),
                Job::Edges(_, page) => self.edge_pages.push(page),
                Job::Texts(_) => {}
            }
        }
    }

    /// Waits until everything is encoded and both files are closed.
    pub fn finish(&mut self) -> io::Result<()> {
        self.jobs = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the encoder panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // The files must be closed before their directory can go.
        let _ = self.finish();
    }
}

fn run(mut objects: Objects, mut edges: [Edges; 2], todo: &Receiver<Job>, done: &Sender<Job>) -> io::Result<()> {
    let mut texts = Texts::default();
    for mut job in todo {
        match &mut job {
            Job::Objects(page) => {
                objects.page(page)?;
                page.clear();
            }
            Job::Edges(table, page) => {
                edges[*table].page(page, &texts)?;
                page.clear();
            }
            Job::Texts(more) => texts.append(more),
        }
        // Nobody takes it back when the walk has ended.
        let _ = done.send(job);
    }
    objects.finish()?;
    edges.into_iter().try_for_each(|e| e.finish(&texts))
}
