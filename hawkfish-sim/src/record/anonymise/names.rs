//! What a property holds, by its name.

/// What a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    /// Tells one part or machine from all others: serial numbers, service tags, WWNs, identifiers.
    Serial,
    /// A licence, a hash of a password, a key: nobody's business at all.
    Key,
    /// A password. It is taken out.
    Password,
    /// A host or a domain.
    Host,
    /// A user.
    User,
    /// Words of the owner: asset tags, places, people.
    Words,
    /// A session.
    Session,
    /// Where on Earth. It is taken out.
    Place,
}

impl Kind {
    /// Whether it is a name that somebody gave, and not a number that a factory gave.
    pub(super) fn is_name(self) -> bool {
        matches!(self, Self::Host | Self::User | Self::Words)
    }
}

/// What a property of this name holds. `inside` says that it is a part of an address or of a person.
pub(super) fn kind_of(name: &str, inside: bool) -> Option<Kind> {
    if name.contains('@') {
        return None;
    }
    let all = name.to_ascii_lowercase();
    // Attributes are named by group and number: `NIC.1.DNSRacName`.
    let last = all.rsplit('.').next().unwrap_or(&all);
    let is = |names: &[&str]| names.contains(&last);
    let ends = |ends: &[&str]| ends.iter().any(|end| last.ends_with(end));
    let has = |parts: &[&str]| parts.iter().any(|part| last.contains(part));
    if is(&["latitude", "longitude", "altitudemeters"]) {
        return Some(Kind::Place);
    }
    if ends(&["password", "passphrase"]) && !has(&["sha", "md5", "hash"]) {
        return Some(Kind::Password);
    }
    let is_setting = ends(&[
        "enable",
        "enabled",
        "required",
        "length",
        "set",
        "type",
        "status",
        "days",
        "policy",
        "origin",
        "fromdhcp",
        "format",
        "algorithm",
        "support",
        "supported",
        "capable",
        "state",
        "protocol",
        "url",
        "date",
        "sold",
    ]);
    if is_setting {
        return None;
    }
    let is_key = has(&[
        "passwordsalt",
        "sha256password",
        "sha1password",
        "md5password",
        "passwordhash",
        "entitlementid",
    ]) || ends(&[
        "licensekey",
        "activationkey",
        "ipmikey",
        "v3key",
        "encryptionkey",
        "authkey",
        "secretkey",
        "privatekey",
    ]) || ends(&[
        "community",
        "communityname",
        "communitystring",
        "communitystrings",
        "setuppasswordsalt",
    ]) || is(&[
        "licenselist",
        "token",
        "sessiontoken",
        "xauthtoken",
        "keyid",
        "authtoken",
        "salt",
    ]);
    if is_key {
        return Some(Kind::Key);
    }
    let is_serial = has(&[
        "serialnumber",
        "serialno",
        "servicetag",
        "svctag",
        "fingerprint",
        "thumbprint",
    ]) || ends(&[
        "wwn",
        "wwnn",
        "wwpn",
        "guid",
        "sasaddress",
        "uniqueidentifier",
        "serialnum",
    ]) || is(&[
        "serial",
        "ppid",
        "piecepartid",
        "expressservicecode",
        "nodeid",
        "durablename",
        "chipid",
        "initiatorname",
        "iscsiinitiatorname",
        "iscsitargetname",
        "targetname",
        "iscsiname",
        "iqn",
        "eui",
        "lun0wwn",
        "nqn",
        "hostnqn",
        "subnqn",
        "smbiosguid",
        "volumeuniqueid",
        "deviceuniqueid",
        "partuniqueid",
        "boardid",
        "dimmid",
    ]);
    if is_serial {
        return Some(Kind::Serial);
    }
    let is_host = is(&[
        "hostname",
        "fqdn",
        "dnsracname",
        "dnsdomainname",
        "domainname",
        "servername",
        "computername",
        "oshostname",
        "serverfqdn",
        "ntpservers",
        "primaryntpserver",
        "secondaryntpserver",
        "ntp1",
        "ntp2",
        "ntp3",
        "searchdomains",
        "dnssuffixsearchlist",
        "domain",
        "smtpserver",
        "alertmailsmtpserver",
        "remotesyslogserver",
        "syslogserver",
        "ldapserver",
        "directoryserveraddress",
        "kerberoskdcserveraddress",
        "dnsname",
        "hostdnsname",
        "managerhostname",
        "serviceaddresses",
        "commonname",
        "issuercommonname",
        "subjectcommonname",
        "server",
        "server1",
        "server2",
        "server3",
        "domaincontroller1",
        "domaincontroller2",
        "domaincontroller3",
        "globalcatalog1",
    ]) || ends(&["hostname", "fqdn"]);
    if is_host {
        return Some(Kind::Host);
    }
    if is(&[
        "username",
        "loginname",
        "accountname",
        "createdby",
        "adminusername",
    ]) {
        return Some(Kind::User);
    }
    let is_words = is(&[
        "assettag",
        "serverassettag",
        "systemassettag",
        "chassisassettag",
        "owner",
        "ownername",
        "ownerinfo",
        "contact",
        "contactname",
        "contactinfo",
        "syscontact",
        "systemcontact",
        "syslocation",
        "systemlocation",
        "datacentername",
        "aislename",
        "rackname",
        "roomname",
        "rack",
        "row",
        "userdefinedstring",
        "adminname",
        "adminphone",
        "adminotherinfo",
        "adminemail",
        "servicename",
        "servicephone",
        "serviceotherinfo",
        "serviceemail",
        "serverotherinfo",
        "site",
        "organization",
        "organizationalunit",
        "issuerorganization",
        "issuerorganizationalunit",
        "subjectorganization",
        "subjectorganizationalunit",
        "bindusername",
        "basedistinguishednames",
        "bindn",
        "basedn",
        "emailaddress",
        "phonenumber",
        "alertmailemail",
        "alertmailsenderdomain",
    ]) || all.starts_with("snmp") && last == "location";
    if is_words || inside {
        return Some(Kind::Words);
    }
    None
}

/// Whether all that is in an object of this name belongs to a place or a person.
pub(super) fn is_private(name: &str) -> bool {
    matches!(
        name,
        "PostalAddress" | "Contacts" | "Placement" | "SysContact"
    )
}

/// What stands where nobody filled in anything, or what all have in common.
pub(super) fn is_placeholder(text: &str) -> bool {
    let plain: String = text
        .to_ascii_lowercase()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let first = plain.bytes().next();
    plain.bytes().all(|byte| Some(byte) == first)
        || matches!(
            plain.as_str(),
            "unknown"
                | "none"
                | "null"
                | "na"
                | "notavailable"
                | "notapplicable"
                | "notspecified"
                | "default"
                | "defaultstring"
                | "tobefilledbyoem"
                | "systemserialnumber"
                | "chassisserialnumber"
                | "baseboardserialnumber"
                | "noassettag"
                | "assettag"
                | "public"
                | "private"
                | "0123456789"
                | "123456789"
                | "1234567890"
                | "notset"
                | "empty"
                | "true"
                | "false"
                | "enabled"
                | "disabled"
                | "auto"
                | "automatic"
                | "notpresent"
                | "unspecified"
                | "string"
        )
}

/// Users that services come with.
pub(super) fn is_usual_user(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(
        name.as_str(),
        "root"
            | "admin"
            | "administrator"
            | "operator"
            | "readonly"
            | "user"
            | "username"
            | "userid"
            | "oem"
            | "anonymous"
            | "guest"
            | "system"
            | "none"
            | "unknown"
            | "service"
            | "hostautofw"
            | "hostautoos"
            | "hpadmin"
            | "readonlyuser"
    )
}

/// Words in names of hosts that tell nothing.
pub(super) fn is_usual_label(label: &str) -> bool {
    let label = label.to_ascii_lowercase();
    matches!(
        label.as_str(),
        "" | "localhost"
            | "localdomain"
            | "local"
            | "lan"
            | "internal"
            | "intranet"
            | "home"
            | "example"
            | "invalid"
            | "test"
            | "idrac"
            | "ilo"
            | "bmc"
            | "xcc"
            | "xclarity"
            | "irmc"
            | "cimc"
            | "imm"
            | "ipmi"
            | "manager"
            | "openbmc"
            | "www"
            | "ntp"
            | "pool"
            | "time"
            | "com"
            | "net"
            | "org"
    )
}

/// Names of hosts that are the same for everybody.
pub(super) fn is_public_host(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    [
        "dmtf.org",
        "oasis-open.org",
        "w3.org",
        "ietf.org",
        "rfc-editor.org",
        "snia.org",
        "json-schema.org",
        "swordfish.org",
        "dell.com",
        "emc.com",
        "hpe.com",
        "hp.com",
        "lenovo.com",
        "supermicro.com",
        "fujitsu.com",
        "cisco.com",
        "huawei.com",
        "intel.com",
        "amd.com",
        "nvidia.com",
        "mellanox.com",
        "broadcom.com",
        "microsoft.com",
        "vmware.com",
        "redhat.com",
        "openbmc.org",
        "openbmc-project.xyz",
        "openssh.com",
        "libssh.org",
        "lysator.liu.se",
        "ssh.com",
        "ntp.org",
        "nist.gov",
        "google.com",
        "opengroup.org",
        "ibm.com",
        "ami.com",
        "uefi.org",
        "iso.org",
        "example.com",
        "example.org",
        "example.net",
        "example",
    ]
    .iter()
    .any(|public| {
        host.strip_suffix(public)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// Names of organisations in certificates that everybody's machines hold.
pub(super) fn is_public_organisation(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [
        "microsoft",
        "dell",
        "hewlett",
        "hpe",
        "lenovo",
        "vmware",
        "intel",
        "amd",
        "advanced micro",
        "nvidia",
        "mellanox",
        "super micro",
        "supermicro",
        "red hat",
        "canonical",
        "suse",
        "oracle",
        "remote access group",
        "idrac",
        "ilo",
        "iss",
        "infineon",
        "inventec",
        "prod",
        "default",
    ]
    .iter()
    .any(|public| name.starts_with(public))
}
