//! `cardea init`, `cardea recover-admin` and `cardea keys rotate-log --instance`: what the operator at the machine does, in the data folder or database
//! itself, or through the server that holds it.

use super::{
    exit::{self, Failure},
    global::Global,
    output::{self, Format},
    place,
};
use crate::{
    config::Settings,
    control,
    data::{Data, DataError},
    instance::{Instance, OpenError},
    local::{self, Done, Refusal, Request},
};
use clap::ArgMatches;
use domain::name;

/// Prepares an organization.
///
/// # Errors
/// Exit 3 when it exists.
pub async fn init(global: &Global, matches: &ArgMatches) -> Result<u8, Failure> {
    let org = global.org.clone().ok_or_else(|| {
        Failure::usage("name the organization with `--org SLUG` or set CARDEA_ORG")
    })?;
    let settings = place::settings(matches)?;
    let owner = matches
        .get_one::<String>("owner")
        .cloned()
        .unwrap_or_default();
    // A first instance keeps its public URL for good: nothing is made for a name that will be refused.
    name::slug(&org).map_err(|error| Failure::refused(format!("`slug` {error}")))?;
    name::email(&owner).map_err(|error| Failure::refused(format!("`email` {error}")))?;
    let (token, public_url) = (matches.get_flag("token"), settings.public_url.clone());
    answer(
        global,
        perform(
            &settings,
            Request::Init {
                org,
                owner,
                token,
                public_url,
            },
        )
        .await?,
    )
}

/// Lets an owner back in.
///
/// # Errors
/// Exit 3 when there is no such organization.
pub async fn recover(global: &Global, matches: &ArgMatches) -> Result<u8, Failure> {
    let settings = place::settings(matches)?;
    place::made_already(&settings).await?;
    answer(
        global,
        perform(
            &settings,
            Request::RecoverAdmin {
                org: global.org.clone(),
            },
        )
        .await?,
    )
}

/// Lets a new key sign the instance's checkpoints.
///
/// # Errors
/// When an organization is named too, or there is no instance.
pub async fn rotate_log(global: &Global, matches: &ArgMatches) -> Result<u8, Failure> {
    if global.org.is_some() {
        return Err(Failure::usage(
            "`--instance` is the log of no organization; leave out `--org` and CARDEA_ORG",
        ));
    }
    let settings = place::settings(matches)?;
    place::made_already(&settings).await?;
    answer(
        global,
        perform(&settings, Request::RotateInstanceLog).await?,
    )
}

async fn perform(settings: &Settings, request: Request) -> Result<Done, Failure> {
    let opened = Instance::open(place::opening(settings), &place::default_url(settings)).await;
    let instance = match opened {
        Ok(instance) => instance,
        Err(OpenError::Data(DataError::Held(_))) => return beside(settings, &request),
        Err(error) => return Err(Failure::refused(error)),
    };
    let done = local::perform(&instance.platform, request).await;
    if done.is_ok() {
        instance.sign().await;
    }
    instance.close().await;
    done.map_err(refused)
}

/// Through the server that holds the folder.
fn beside(settings: &Settings, request: &Request) -> Result<Done, Failure> {
    let data = Data::open(&settings.data).map_err(Failure::refused)?;
    let asked = control::ask(&data, request).map_err(|error| {
        let path = data.path().display();
        Failure::unreachable(format!(
            "a server holds {path} and does not answer there ({error}); stop it and run this again"
        ))
    })?;
    asked.map_err(refused)
}

fn refused(refusal: Refusal) -> Failure {
    Failure::new(Failure::of_code(&refusal.code), refusal.detail)
}

fn answer(global: &Global, done: Done) -> Result<u8, Failure> {
    let value = serde_json::to_value(&done).map_err(Failure::refused)?;
    output::print(&global.format.render(&value));
    if global.format == Format::Table && matches!(done, Done::Prepared(_)) {
        output::print("the link works once, within an hour\n");
    }
    Ok(exit::OK)
}
