//! Registries: where the messages that are sent are explained.

use hawkfish_redfish::message::REGISTRIES;

use crate::door::Door;

const URI: &str = "/redfish/v1/Registries";

#[tokio::test]
async fn every_registry_that_messages_come_from_is_listed_and_leads_to_its_publication() {
    let door = Door::open().await;
    let listed = door.read(URI).await.body;
    let listed: Vec<&str> = listed["Members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["@odata.id"].as_str().unwrap())
        .collect();
    for registry in REGISTRIES {
        let uri = format!("{URI}/{}", registry.prefix);
        assert!(listed.contains(&uri.as_str()), "{uri} is not in {listed:?}");
        let file = door.read(&uri).await.body;
        assert_eq!(file["Id"], registry.prefix);
        let named = format!("{}.{}", registry.prefix, registry.version);
        assert_eq!(file["Registry"], named.as_str());
        let place = &file["Location"][0];
        if registry.prefix == "HawkFish" {
            let own = door.read(place["Uri"].as_str().unwrap()).await.body;
            assert_eq!(own["RegistryPrefix"], "HawkFish");
            assert_eq!(own["RegistryVersion"], registry.release);
            let messages = own["Messages"].as_object().unwrap();
            assert_eq!(messages.len(), registry.facts().count());
        } else {
            let published = format!(
                "https://redfish.dmtf.org/registries/{}.{}.json",
                registry.prefix, registry.release
            );
            assert_eq!(place["PublicationUri"], published.as_str());
            assert!(place.get("Uri").is_none(), "{file}");
        }
    }
}
