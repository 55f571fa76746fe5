//! How many requests of one class are carried out at once, and who is next: organizations in turn, each with a bounded
//! queue. Nobody waits for a lock while there is room.

use super::share::Share;
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
};
use tokio::sync::oneshot;

/// How much of a class goes on at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// For everybody together.
    pub(super) all: usize,
    /// For one organization while others ask too.
    pub(super) each: usize,
    /// How many of one organization may wait.
    pub(super) waiting: usize,
}

/// Requests of one class.
#[derive(Debug)]
pub(super) struct Pool {
    class: usize,
    room: Room,
    running: AtomicUsize,
    waiting: AtomicUsize,
    /// Whether organizations share, as it stood when the last of them asked. Whoever holds a place from before they did
    /// hands it on by the same rule.
    contended: AtomicBool,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    /// By the address of the share, which each waiter keeps alive.
    queues: HashMap<usize, Queue>,
    turn: VecDeque<usize>,
}

#[derive(Debug)]
struct Queue {
    share: Arc<Share>,
    waiters: VecDeque<oneshot::Sender<Permit>>,
    in_turn: bool,
}

/// A request that is being carried out; its place is free again when this is dropped.
#[derive(Debug)]
pub struct Permit {
    pool: Arc<Pool>,
    share: Arc<Share>,
    /// Whether the place is still to be given back.
    held: bool,
}

/// The organization's queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Why there is no place.
enum Refused {
    Pool,
    Own,
}

fn one_more(count: &AtomicUsize, most: usize) -> bool {
    let next = |now: usize| (now < most).then_some(now + 1);
    count.fetch_update(SeqCst, SeqCst, next).is_ok()
}

fn key(share: &Arc<Share>) -> usize {
    Arc::as_ptr(share).addr()
}

impl Pool {
    pub(super) fn new(class: usize, room: Room) -> Self {
        Self {
            class,
            room,
            running: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            contended: AtomicBool::new(false),
            line: Mutex::default(),
        }
    }

    pub(super) fn running(&self) -> usize {
        self.running.load(SeqCst)
    }
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    /// Takes a place, or the receiver of one.
    pub(super) fn ask(
        self: &Arc<Self>,
        share: &Arc<Share>,
        contended: bool,
    ) -> Result<Result<Permit, oneshot::Receiver<Permit>>, Full> {
        if self.contended.load(Relaxed) != contended {
            self.contended.store(contended, Relaxed);
        }
        if self.waiting() == 0
            && let Ok(permit) = self.take(share)
        {
            return Ok(Ok(permit));
        }
        let (waiter, place) = oneshot::channel();
        let mut line = self.line();
        self.join(&mut line, share, waiter)?;
        self.serve(&mut line);
        Ok(Err(place))
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        // No code of others runs under the lock, so a poisoned one is still whole.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the pool's place first and the organization's last: nobody ever sees an organization with more than
    /// it has, so that one which leaves the turn has a place to give back.
    fn take(self: &Arc<Self>, share: &Arc<Share>) -> Result<Permit, Refused> {
        let own = share.running.get(self.class).ok_or(Refused::Own)?;
        if !one_more(&self.running, self.room.all) {
            return Err(Refused::Pool);
        }
        let most = if self.contended.load(Relaxed) {
            self.room.each
        } else {
            self.room.all
        };
        if !one_more(own, most) {
            self.running.fetch_sub(1, SeqCst);
            return Err(Refused::Own);
        }
        Ok(Permit {
            pool: self.clone(),
            share: share.clone(),
            held: true,
        })
    }

    fn free(&self, share: &Share) {
        if let Some(own) = share.running.get(self.class) {
            own.fetch_sub(1, SeqCst);
        }
        self.running.fetch_sub(1, SeqCst);
    }

    fn join(
        &self,
        line: &mut Line,
        share: &Arc<Share>,
        waiter: oneshot::Sender<Permit>,
    ) -> Result<(), Full> {
        let queue = line.queues.entry(key(share)).or_insert_with(|| Queue {
            share: share.clone(),
            waiters: VecDeque::new(),
            in_turn: false,
        });
        if queue.waiters.len() >= self.room.waiting {
            // Whoever gave up meanwhile holds no place in the queue.
            let before = queue.waiters.len();
            queue.waiters.retain(|waiter| !waiter.is_closed());
            self.waiting.fetch_sub(before - queue.waiters.len(), SeqCst);
            if queue.waiters.len() >= self.room.waiting {
                return Err(Full);
            }
        }
        queue.waiters.push_back(waiter);
        self.waiting.fetch_add(1, SeqCst);
        line.enter(key(share));
        Ok(())
    }

    /// Gives places to whose turn it is for as long as there are any. An organization that has all it may have
    /// leaves the turn until it gives one back.
    fn serve(self: &Arc<Self>, line: &mut Line) {
        while let Some(next) = line.turn.pop_front() {
            let Some(queue) = line.queues.get_mut(&next) else {
                continue;
            };
            let permit = match self.take(&queue.share) {
                Ok(permit) => permit,
                Err(Refused::Pool) => return line.turn.push_front(next),
                Err(Refused::Own) => {
                    queue.in_turn = false;
                    continue;
                }
            };
            queue.in_turn = false;
            if !self.hand_over(queue, permit) || queue.waiters.is_empty() {
                line.queues.remove(&next);
                continue;
            }
            line.enter(next);
        }
    }

    /// Gives a place to the first who still waits; whether anybody did.
    fn hand_over(&self, queue: &mut Queue, mut permit: Permit) -> bool {
        while let Some(waiter) = queue.waiters.pop_front() {
            self.waiting.fetch_sub(1, SeqCst);
            match waiter.send(permit) {
                Ok(()) => return true,
                Err(back) => permit = back,
            }
        }
        // Not by dropping it: that would ask for the lock that is held here.
        permit.held = false;
        self.free(&queue.share);
        false
    }
}

impl Line {
    fn enter(&mut self, key: usize) {
        if let Some(queue) = self.queues.get_mut(&key)
            && !queue.in_turn
        {
            queue.in_turn = true;
            self.turn.push_back(key);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.held {
            return;
        }
        self.pool.free(&self.share);
        if self.pool.waiting() > 0 {
            let mut line = self.pool.line();
            line.enter(key(&self.share));
            self.pool.serve(&mut line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(all: usize, each: usize, waiting: usize) -> Arc<Pool> {
        let room = Room { all, each, waiting };
        Arc::new(Pool::new(0, room))
    }

    fn org() -> Arc<Share> {
        Arc::new(Share::default())
    }

    fn ready(asked: Result<Result<Permit, oneshot::Receiver<Permit>>, Full>) -> Permit {
        asked.unwrap().expect("there is room")
    }

    fn waits(
        asked: Result<Result<Permit, oneshot::Receiver<Permit>>, Full>,
    ) -> oneshot::Receiver<Permit> {
        asked.unwrap().expect_err("there is no room")
    }

    #[test]
    fn organizations_take_turns_whoever_asked_more() {
        let pool = pool(1, 1, 9);
        let (a, b) = (org(), org());
        let first = ready(pool.ask(&a, true));
        let mut of_a: Vec<_> = (0..3).map(|_| waits(pool.ask(&a, true))).collect();
        let mut of_b = waits(pool.ask(&b, true));
        drop(first);
        let second = of_a[0].try_recv().expect("it asked before the other");
        assert!(of_b.try_recv().is_err());
        drop(second);
        let third = of_b.try_recv().expect("now it is the other's turn");
        drop(third);
        assert!(of_a[1].try_recv().is_ok());
    }

    #[test]
    fn while_others_ask_one_leaves_room() {
        let pool = pool(4, 2, 9);
        let (a, b) = (org(), org());
        let held: Vec<_> = (0..2).map(|_| ready(pool.ask(&a, true))).collect();
        let mut third = waits(pool.ask(&a, true));
        assert!(third.try_recv().is_err(), "the others' room");
        let mut other = waits(pool.ask(&b, true));
        assert!(
            other.try_recv().is_ok(),
            "who has room does not wait behind who has none"
        );
        drop(held);
        assert!(third.try_recv().is_ok());
        let alone: Vec<_> = (0..4).map(|_| ready(pool.ask(&a, false))).collect();
        assert_eq!(alone.len(), 4);
    }

    #[test]
    fn who_had_all_while_alone_hands_it_on_only_in_part() {
        let pool = pool(4, 1, 9);
        let (a, b) = (org(), org());
        let mut held: Vec<_> = (0..4).map(|_| ready(pool.ask(&a, false))).collect();
        let mut of_a: Vec<_> = (0..4).map(|_| waits(pool.ask(&a, false))).collect();
        let mut of_b: Vec<_> = (0..2).map(|_| waits(pool.ask(&b, true))).collect();
        drop(held.pop());
        let first = of_b[0].try_recv().expect("it has none");
        drop(held.drain(..2));
        assert!(of_a[0].try_recv().is_err(), "it still has one");
        assert!(of_b[1].try_recv().is_err(), "it has one too");
        drop(first);
        assert!(of_b[1].try_recv().is_ok());
        drop(held);
        assert!(of_a[0].try_recv().is_ok());
    }

    #[test]
    fn a_full_queue_refuses_and_who_gave_up_holds_no_place() {
        let pool = pool(1, 1, 1);
        let a = org();
        let held = ready(pool.ask(&a, true));
        let gone = waits(pool.ask(&a, true));
        assert!(pool.ask(&a, true).is_err_and(|full| full == Full));
        drop(gone);
        let mut next = waits(pool.ask(&a, true));
        drop(held);
        assert!(next.try_recv().is_ok());
        assert_eq!((pool.running(), pool.waiting()), (0, 0));
    }

    #[test]
    fn a_place_that_nobody_takes_any_more_goes_to_the_next() {
        let pool = pool(1, 1, 9);
        let (a, b) = (org(), org());
        let held = ready(pool.ask(&a, true));
        drop(waits(pool.ask(&a, true)));
        let mut next = waits(pool.ask(&b, true));
        drop(held);
        assert!(next.try_recv().is_ok());
        assert_eq!((pool.running(), pool.waiting()), (0, 0));
    }

    #[test]
    fn no_place_is_lost_between_threads() {
        let pool = pool(2, 2, 1_000);
        let orgs: Vec<_> = (0..4).map(|_| org()).collect();
        std::thread::scope(|scope| {
            for org in &orgs {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        match pool.ask(org, true).unwrap() {
                            Ok(permit) => drop(permit),
                            Err(place) => drop(place.blocking_recv().unwrap()),
                        }
                    }
                });
            }
        });
        assert_eq!((pool.running(), pool.waiting()), (0, 0));
    }
}
