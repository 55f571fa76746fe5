//! One walk along the road: each step is sent with the fault at its first COMMIT, then at its second, and so on until
//! it has none left; after each fault the same request is sent again and must give the one result.

use super::{
    child,
    plan::{Plan, What},
};
use crate::{
    kill::wire::{Log, Owner},
    program::{Place, Serving},
    world::{AgentClient, Answer, client, text},
};
use egress::{Client, Request};
use kernel::{ExposeSecret, SecretString};
use serde_json::Value;
use std::time::Duration;

/// More than any step has.
const MOST: u32 = 12;

/// A request that can be sent again.
pub struct Asked {
    pub method: &'static str,
    /// Under the organization, or absolute after `!`.
    pub path: String,
    pub body: Body,
    /// The type of the entry that is written once for it, and the member of the answer that is its resource.
    pub once: Option<(&'static str, &'static str)>,
    /// What a repetition is answered that comes after the first was carried out, where no key makes it the same.
    pub again: Option<(u16, &'static str)>,
}

pub enum Body {
    Json(Value),
    Form(Vec<(&'static str, String)>),
}

impl Asked {
    pub fn api(method: &'static str, path: impl Into<String>, body: Value) -> Self {
        Self {
            method,
            path: path.into(),
            body: Body::Json(body),
            once: None,
            again: None,
        }
    }
    pub fn form(endpoint: &str, agent: &AgentClient, more: &[(&'static str, &str)]) -> Self {
        let mut form = vec![
            ("client_id", agent.id.clone()),
            ("client_secret", agent.secret.expose_secret().to_owned()),
        ];
        form.extend(
            more.iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        Self {
            method: "POST",
            path: format!("!/o/acme/oauth2/{endpoint}"),
            body: Body::Form(form),
            once: None,
            again: None,
        }
    }
    /// The log has one entry of this type about the answer's `field`.
    pub fn logged(self, kind: &'static str, field: &'static str) -> Self {
        Self {
            once: Some((kind, field)),
            ..self
        }
    }
    /// Without a key; a repetition of what was done is refused like this.
    pub fn then(self, status: u16, code: &'static str) -> Self {
        Self {
            again: Some((status, code)),
            ..self
        }
    }
}

pub struct Walk {
    place: Place,
    folder: tempfile::TempDir,
    serving: Option<Serving>,
    client: Client,
    token: SecretString,
    pub owner: String,
    plan: Plan,
    hits: usize,
    /// What was acknowledged: type and resource of its entry.
    acknowledged: Vec<(String, String)>,
    init: Value,
}

impl Walk {
    pub async fn begin(database_url: Option<String>, plan: Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place {
            data: folder.path().join("data"),
            database_url,
        };
        let init = place.init();
        let serving = Some(child::serve(&place, folder.path()));
        Self {
            token: text(&init, "token").into(),
            owner: text(&init, "owner"),
            place,
            folder,
            serving,
            client: client(),
            plan,
            hits: 0,
            acknowledged: Vec::new(),
            init,
        }
    }

    fn url(&self) -> &str {
        &self.serving.as_ref().unwrap().url
    }

    /// Lets things go wrong at this COMMIT from now on; never when it is zero.
    fn arm(&mut self, at: u32) {
        self.plan = Plan {
            serial: self.plan.serial + 1,
            at,
            ..self.plan
        };
        self.plan.write(self.folder.path());
    }

    async fn send(&self, asked: &Asked, key: &str) -> Result<Answer, egress::Error> {
        let url = match asked.path.strip_prefix('!') {
            Some(absolute) => format!("{}{absolute}", self.url()),
            None => format!("{}/api/v1/orgs/acme{}", self.url(), asked.path),
        };
        let request = Request::new(asked.method.parse().unwrap(), &url)?;
        let request = match &asked.body {
            Body::Form(form) => request.form(form)?,
            Body::Json(body) => {
                let request = request.bearer(&self.token)?;
                let request = if asked.method == "DELETE" {
                    request
                } else {
                    request.json(body)?
                };
                if asked.again.is_some() {
                    request
                } else {
                    request.header("idempotency-key", key)?
                }
            }
        };
        Ok(self.client.send(request).await?.into())
    }

    /// Sends it with nothing in its way.
    pub async fn plain(&mut self, asked: Asked) -> Value {
        self.arm(0);
        let answer = self
            .send(&asked, &format!("plain-{}", self.plan.serial))
            .await;
        let answer = answer.unwrap().ok();
        self.acknowledge(&asked, &answer);
        answer
    }

    /// One step: `make` gives a request of its own for each COMMIT. Answers the last, which nothing came between.
    pub async fn step(&mut self, make: impl AsyncFn(&mut Self, u32) -> Asked) -> Value {
        for at in 1..MOST {
            let asked = make(self, at).await;
            let key = format!("key-{}", self.plan.serial);
            self.arm(at);
            let first = self.send(&asked, &key).await;
            let fired = self.plan.fired(self.folder.path());
            let expected = first
                .as_ref()
                .ok()
                .filter(|answer| answer.status < 300)
                .map(|answer| answer.body.clone());
            if let Some(answer) = &expected {
                self.acknowledge(&asked, answer);
            }
            if !fired {
                self.arm(0);
                return first.unwrap().ok();
            }
            self.hits += 1;
            self.recover().await;
            let again = self.send(&asked, &key).await.unwrap();
            self.settled(&asked, expected.as_ref(), &again);
            child::compare(self.folder.path()).await;
        }
        panic!("a step has more than {MOST} commits");
    }

    pub fn is_embedded(&self) -> bool {
        self.place.database_url.is_none()
    }

    /// Sends it while there is no room at its COMMIT, and again until there is: the first is refused with this code, or
    /// is carried out.
    pub async fn no_room(&mut self, asked: Asked, refused: Option<&str>) {
        let key = format!("full-{}", self.plan.serial);
        self.arm(1);
        let first = self.send(&asked, &key).await.unwrap();
        assert!(self.plan.fired(self.folder.path()), "{}", asked.path);
        self.arm(0);
        match refused {
            Some(code) => assert_eq!(first.refused(503), code, "{}", asked.path),
            None => drop(first.ok()),
        }
        let mut again = self.send(&asked, &key).await.unwrap();
        for _ in 0..100 {
            if again.status != 503 {
                break;
            }
            assert_eq!(again.refused(503), "storage_full");
            tokio::time::sleep(Duration::from_millis(50)).await;
            again = self.send(&asked, &key).await.unwrap();
        }
        self.acknowledge(&asked, &again.ok());
        child::compare(self.folder.path()).await;
    }

    /// A process that is gone is started again; until then the chain is looked at as it lies there.
    async fn recover(&mut self) {
        self.arm(0);
        if self.plan.what == What::Crash {
            self.serving.take().unwrap().ended();
            self.place.run(&["audit", "verify", "--deep"]).with(0);
            self.serving = Some(child::serve(&self.place, self.folder.path()));
        }
    }

    /// A repetition gives the one result.
    #[track_caller]
    fn settled(&mut self, asked: &Asked, first: Option<&Value>, again: &Answer) {
        let path = &asked.path;
        match (first, asked.again) {
            (Some(_), Some((status, code))) => assert_eq!(again.refused(status), code, "{path}"),
            (None, Some((status, code))) if again.status >= 300 => {
                assert_eq!(again.refused(status), code, "{path}")
            }
            _ => {
                let again = again.clone().ok();
                // A token endpoint knows no keys: asked again, it gives another.
                if let (Some(first), Some((_, field)), Body::Json(_)) =
                    (first, asked.once, &asked.body)
                {
                    assert_eq!(first[field], again[field], "{path}: done twice");
                }
                self.acknowledge(asked, &again);
            }
        }
    }

    fn acknowledge(&mut self, asked: &Asked, answer: &Value) {
        if let Some((kind, field)) = asked.once {
            let resource = if field == "access_token" {
                crate::kill::wire::jti(&text(answer, field))
            } else {
                text(answer, field)
            };
            self.acknowledged.push((kind.to_owned(), resource));
        }
    }

    /// Whether a token is good.
    pub async fn is_active(&mut self, token: &str) -> bool {
        self.arm(0);
        let request = Request::post(&format!("{}/o/acme/oauth2/introspect", self.url())).unwrap();
        let request = request
            .form(&[("token", token)])
            .unwrap()
            .bearer(&self.token)
            .unwrap();
        Answer::from(self.client.send(request).await.unwrap()).ok()["active"] == true
    }

    /// Everything acknowledged is in the log, once, and the log is whole; gives how many COMMITs went wrong.
    pub async fn end(mut self) -> usize {
        self.arm(0);
        let wire = crate::kill::wire::Wire::new(self.url(), &Owner::of(&self.init));
        // Reading the log leaves an entry, for which there may be no room yet.
        for _ in 0..100 {
            if wire.api.get("/audit/events?limit=1").await.status == 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut log = Log::default();
        log.read(&wire).await;
        for (kind, resource) in &self.acknowledged {
            let count = log.seen.get(&(kind.clone(), resource.clone()));
            assert_eq!(count, Some(&1), "{kind} of {resource} was acknowledged");
        }
        child::compare(self.folder.path()).await;
        self.serving.take().unwrap().kill();
        self.place.run(&["audit", "verify", "--deep"]).with(0);
        self.hits
    }
}
