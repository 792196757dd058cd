//! Validation here beside the `jsonschema` crate on the schema given out, in one run.

use criterion::{Criterion, criterion_group, criterion_main};
use hawkfish_redfish::{metadata, validate};
use serde_json::{Value, json};
use std::hint::black_box;

fn system() -> Value {
    json!({
        "@odata.id": "/redfish/v1/Systems/1",
        "@odata.type": validate::odata_type("ComputerSystem"),
        "@odata.etag": "\"7\"",
        "Id": "1", "Name": "vm", "Description": "a machine", "SystemType": "Virtual",
        "Manufacturer": "QEMU", "Model": "Standard PC", "SKU": null, "SerialNumber": "1", "PartNumber": null,
        "UUID": "00000000-1111-2222-3333-444444444444", "AssetTag": null, "HostName": "vm", "BiosVersion": "1",
        "PowerState": "On", "PowerRestorePolicy": "LastState", "LocationIndicatorActive": false,
        "LastResetTime": "2026-01-31T23:59:59Z",
        "Boot": {
            "BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Cd",
            "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Pxe", "Hdd", "Cd", "Usb"],
            "BootSourceOverrideMode": "UEFI", "BootOrder": ["a", "b", "c"], "BootNext": null,
            "UefiTargetBootSourceOverride": null, "HttpBootUri": null,
        },
        "BootProgress": {"LastState": "OSRunning", "LastStateTime": "2026-01-31T23:59:59Z"},
        "ProcessorSummary": {"Count": 4, "CoreCount": 4, "LogicalProcessorCount": 8, "Model": "Virtual"},
        "MemorySummary": {"TotalSystemMemoryGiB": 8.0},
        "Status": {"State": "Enabled", "Health": "OK", "HealthRollup": "OK"},
        "VirtualMedia": {"@odata.id": "/redfish/v1/Systems/1/VirtualMedia"},
        "Links": {
            "Chassis": [{"@odata.id": "/redfish/v1/Chassis/1"}],
            "ManagedBy": [{"@odata.id": "/redfish/v1/Managers/1"}],
        },
        "Actions": {"#ComputerSystem.Reset": {
            "target": "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset",
            "ResetType@Redfish.AllowableValues": ["On", "ForceOff", "GracefulShutdown"],
        }},
    })
}

fn validation(c: &mut Criterion) {
    let system = system();
    assert_eq!(validate::response("ComputerSystem", &system), []);
    let schema = metadata::json_schema("ComputerSystem").expect("it is served");
    let theirs = jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
        .expect("a schema");
    assert!(theirs.is_valid(&system));
    let patch =
        json!({"Boot": {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Cd"}});
    let patch = patch.as_object().expect("an object");
    let body = serde_json::to_vec(&system).expect("JSON");

    c.bench_function("response/hawkfish", |b| {
        b.iter(|| validate::response("ComputerSystem", black_box(&system)));
    });
    c.bench_function("response/jsonschema", |b| {
        b.iter(|| theirs.is_valid(black_box(&system)))
    });
    c.bench_function("patch/hawkfish", |b| {
        b.iter(|| validate::patch("ComputerSystem", black_box(patch)));
    });
    c.bench_function("parse/strict", |b| {
        b.iter(|| validate::parse_strict(black_box(&body)))
    });
    c.bench_function("parse/serde_json", |b| {
        b.iter(|| serde_json::from_slice::<Value>(black_box(&body)));
    });
}

criterion_group!(benches, validation);
criterion_main!(benches);
