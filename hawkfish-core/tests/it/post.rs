//! What tests of deliveries stand on: plain words, and a courier that does as it is told and remembers what it carried.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use hawkfish_core::app::{Builder, HawkFish};
use hawkfish_core::clock::{Clock as _, ManualClock};
use hawkfish_core::ctx::Ctx;
use hawkfish_core::entropy::SeededEntropy;
use hawkfish_core::events::{Format, Happened, Record, Subject, Telling};
use hawkfish_core::id::{SubscriptionId, SystemId};
use hawkfish_core::logs::What;
use hawkfish_core::subscriptions::{
    Courier, NewSubscription, Parcel, Refusal, Subscription, SubscriptionSettings,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use url::Url;

/// Words that show what they are about.
#[derive(Debug)]
pub(crate) struct Words;

impl Telling for Words {
    fn record(&self, happened: &Happened) -> Record {
        let (format, message_id) = match &happened.event.what {
            What::Report(_) => (Format::MetricReport, ""),
            What::Created => (Format::Event, "ResourceEvent.1.4.ResourceCreated"),
            What::Changed => (Format::Event, "ResourceEvent.1.4.ResourceChanged"),
            What::Removed => (Format::Event, "ResourceEvent.1.4.ResourceRemoved"),
            What::Test(_) => (Format::Event, "ResourceEvent.1.4.TestMessage"),
            What::Heartbeat => (Format::Event, "HeartbeatEvent.1.0.RedfishServiceFunctional"),
            What::Missed => (Format::Event, "Base.1.20.EventBufferExceeded"),
            _ => (Format::Event, "HawkFish.1.0.Other"),
        };
        let origin = match &happened.about {
            Subject::System(system) => Some(format!("/redfish/v1/Systems/{system}")),
            _ => None,
        };
        let record = json!({
            "EventId": happened.seq.to_string(), "MessageId": message_id,
            "EventTimestamp": happened.event.at.to_string(),
        });
        Record {
            format,
            message_id: message_id.to_owned(),
            severity: "OK",
            event_type: "Alert",
            resource_type: origin.is_some().then_some("ComputerSystem"),
            origin,
            definition: None,
            json: record.to_string().into(),
        }
    }

    fn body(&self, id: &str, context: Option<&str>, records: &[&Record]) -> Bytes {
        let records = records.iter().map(|record| &record.json[..]);
        let records: Vec<Value> = records
            .map(|r| serde_json::from_slice(r).unwrap())
            .collect();
        json!({"Id": id, "Context": context, "Events": records})
            .to_string()
            .into()
    }
}

/// Something that was carried.
#[derive(Clone, Debug)]
pub(crate) struct Carried {
    pub host: String,
    pub headers: Vec<(String, String)>,
    pub raw: Bytes,
    pub body: Value,
    pub at: Timestamp,
}

impl Carried {
    pub(crate) fn events(&self) -> Vec<u64> {
        let events = self.body["Events"].as_array().unwrap();
        let ids = events
            .iter()
            .map(|event| event["EventId"].as_str().unwrap());
        ids.map(|id| id.parse().unwrap()).collect()
    }

    pub(crate) fn messages(&self) -> Vec<String> {
        let events = self.body["Events"].as_array().unwrap();
        let ids = events.iter().map(|event| event["MessageId"].as_str());
        ids.map(|id| id.unwrap().rsplit('.').next().unwrap().to_owned())
            .collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn delivery(&self) -> &str {
        self.header("X-HawkFish-Delivery").unwrap()
    }
}

/// What a receiver says to a parcel.
pub(crate) enum Answer {
    Take,
    Refuse(u16),
    RefuseFor(u16, i64),
    /// Takes it once somebody opens the door.
    TakeLater(Arc<Semaphore>),
}

type Says = Box<dyn FnMut(&Carried) -> Answer + Send>;

/// A courier that does as it is told.
pub(crate) struct Post {
    clock: Arc<ManualClock>,
    carried: Mutex<Vec<Carried>>,
    taken: Mutex<Vec<Carried>>,
    says: Mutex<Says>,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Post")
    }
}

impl Post {
    pub(crate) fn new(clock: Arc<ManualClock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            carried: Mutex::default(),
            taken: Mutex::default(),
            says: Mutex::new(Box::new(|_| Answer::Take)),
        })
    }

    pub(crate) fn says(&self, says: impl FnMut(&Carried) -> Answer + Send + 'static) {
        *self.says.lock().unwrap() = Box::new(says);
    }

    /// All that was carried, taken or not.
    pub(crate) fn carried(&self) -> Vec<Carried> {
        self.carried.lock().unwrap().clone()
    }

    /// What was taken.
    pub(crate) fn taken(&self) -> Vec<Carried> {
        self.taken.lock().unwrap().clone()
    }

    /// The events that a host has taken, in order.
    pub(crate) fn events_of(&self, host: &str) -> Vec<u64> {
        let taken = self.taken();
        let of = taken.iter().filter(|one| one.host == host);
        of.flat_map(Carried::events).collect()
    }
}

#[async_trait]
impl Courier for Post {
    async fn carry(&self, parcel: Parcel) -> Result<(), Refusal> {
        let carried = Carried {
            host: parcel.url.host_str().unwrap().to_owned(),
            headers: parcel.headers,
            body: serde_json::from_slice(&parcel.body).unwrap(),
            raw: parcel.body,
            at: self.clock.now(),
        };
        let answer = (self.says.lock().unwrap())(&carried);
        self.carried.lock().unwrap().push(carried.clone());
        let refuse = |status, retry_after: Option<i64>| {
            Err(Refusal {
                status: Some(status),
                reason: format!("It answered {status}."),
                retry_after: retry_after.map(SignedDuration::from_secs),
            })
        };
        match answer {
            Answer::Take => {}
            Answer::TakeLater(door) => door.acquire().await.unwrap().forget(),
            Answer::Refuse(status) => return refuse(status, None),
            Answer::RefuseFor(status, seconds) => return refuse(status, Some(seconds)),
        }
        self.taken.lock().unwrap().push(carried);
        Ok(())
    }
}

/// A HawkFish that delivers by such a courier, at a time that only moves when told.
#[derive(Debug)]
pub(crate) struct Desk {
    pub hf: HawkFish,
    pub post: Arc<Post>,
    pub clock: Arc<ManualClock>,
}

impl Desk {
    pub(crate) async fn start(dir: &Path) -> Self {
        Self::with(dir, SubscriptionSettings::default(), |b| b).await
    }

    pub(crate) async fn with(
        dir: &Path,
        settings: SubscriptionSettings,
        more: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
        let post = Post::new(clock.clone());
        Self::on(dir, clock, post, settings, more).await
    }

    pub(crate) async fn on(
        dir: &Path,
        clock: Arc<ManualClock>,
        post: Arc<Post>,
        settings: SubscriptionSettings,
        more: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let settings = SubscriptionSettings {
            courier: Some(post.clone()),
            ..settings
        };
        let builder = HawkFish::builder()
            .clock(clock.clone())
            .entropy(Arc::new(SeededEntropy::new(1, "test")))
            .data_dir(dir)
            .subscriptions(settings);
        let hf = more(builder).start().await.unwrap();
        hf.events().set_telling(Arc::new(Words));
        Self { hf, post, clock }
    }

    /// Ends it in order and starts it anew.
    pub(crate) async fn restart(self, dir: &Path) -> Self {
        self.hf.close().await.unwrap();
        let Self { post, clock, .. } = self;
        Self::on(dir, clock, post, SubscriptionSettings::default(), |b| b).await
    }

    pub(crate) async fn subscribe(&self, new: NewSubscription) -> SubscriptionId {
        let ctx = Ctx::service();
        let made = self.hf.subscriptions().create(&ctx, new).await.unwrap();
        made.id.clone()
    }

    pub(crate) fn shown(&self, id: &SubscriptionId) -> Arc<Subscription> {
        self.hf.subscriptions().get(&Ctx::service(), id).unwrap()
    }

    /// Has something happen to a system; gives its number.
    pub(crate) async fn tell(&self, system: &str) -> u64 {
        let about = Subject::System(SystemId::parse(system).unwrap());
        self.hf.tell(about, What::Changed).await.unwrap();
        self.hf.events().last()
    }

    /// Has so many things happen; gives their numbers.
    pub(crate) async fn tell_many(&self, many: usize) -> Vec<u64> {
        let mut all = Vec::new();
        for _ in 0..many {
            all.push(self.tell("a").await);
        }
        all
    }

    /// Has all delivered that can be now.
    pub(crate) async fn settle(&self) {
        self.hf.tick().await.unwrap();
        self.hf.subscriptions().settle().await;
    }

    /// Lets time go on by so many seconds, stopping at everything that is due.
    pub(crate) async fn pass(&self, seconds: i64) {
        let end = self.clock.now() + SignedDuration::from_secs(seconds);
        self.settle().await;
        while let Some(next) = self.hf.next_due().filter(|next| *next <= end) {
            self.clock.set(next);
            self.settle().await;
        }
        self.clock.set(end);
        self.settle().await;
    }
}

/// A subscription to all changes of systems, at a host of that name.
pub(crate) fn at(host: &str) -> NewSubscription {
    let mut new = NewSubscription::to(Url::parse(&format!("https://{host}/events")).unwrap());
    new.filter.resource_types = vec!["ComputerSystem".to_owned()];
    new
}
