//! One suite for both engines: what holds on one holds on the other. PostgreSQL is skipped by name where it is
//! absent, and missed where it must not be.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test says what it expects by failing"
)]

mod encrypted;
mod feed;
mod file;
mod follow;
mod groups;
mod log;
mod lost;
mod months;
mod races;
mod rows;
mod rules;
mod search;
mod server;
mod survive;
mod texts;
mod world;

macro_rules! on_both {
    ($($file:ident: $($name:ident)*;)*) => {
        mod sqlite { $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::$file::$name(crate::world::World::sqlite().unwrap()).await;
            }
        )*)* }
        mod postgres { $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(world) = crate::world::World::postgres() {
                    crate::$file::$name(world).await;
                }
            }
        )*)* }
    };
}

on_both! {
    rows: a_row_is_written_read_listed_and_versioned
        operational_rows_and_facts
        a_read_ends_after_two_seconds;
    texts: keys_and_texts_are_compared_byte_by_byte
        a_filter_compares_members_as_text;
    rules: a_dry_run_writes_nothing
        a_refusal_or_a_panic_rolls_back_alone
        what_is_written_without_an_entry_is_refused
        other_streams_are_out_of_reach
        an_idempotency_key_answers_once;
    races: one_of_fifty_claims_wins
        an_artefact_is_consumed_once
        sequence_numbers_have_no_gap
        a_burst_is_refused_beyond_the_bound
        decisions_on_the_instance_share_it_and_let_it_move;
    log: a_decision_older_than_the_authority_is_refused
        a_decision_older_than_the_instances_authority_is_refused
        time_never_goes_back_and_hashes_chain
        heads_survive_a_restart
        rows_of_the_log_are_found
        live_tokens_are_counted_by_lineage
        checkpoints_are_kept
        the_last_entry_is_unsigned_at_once;
    feed: the_folded_feed_is_the_export;
    search: what_is_found_is_what_a_look_at_every_entry_finds
        a_search_is_of_one_log;
    follow: each_look_gives_what_is_new
        a_look_that_would_be_too_long_says_so;
}
