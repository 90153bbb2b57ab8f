//! The cluster's authorities, and a certificate for each of its parts.
//!
//! Authorities and the key that signs service account tokens are made once and
//! kept with the data; all other certificates are made at each start.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::network::Subnet;
use crate::record::unix_now;
use crate::{Error, files};

/// The first address of the Service network is the API server's.
pub(crate) const API_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);

const DAY: u64 = 24 * 60 * 60;
const AUTHORITY_DAYS: u64 = 3650;
const CERTIFICATE_DAYS: u64 = 365;

/// The user whose word the components take for who is asking.
pub(crate) const FRONT_PROXY: &str = "front-proxy-client";

/// etcd has an authority of its own: otherwise every client of the API server
/// could read and write the database behind it. So has the front proxy, which
/// may speak for every user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Authority {
    Cluster,
    Etcd,
    FrontProxy,
}

impl Authority {
    fn file(self) -> &'static str {
        match self {
            Self::Cluster => "ca",
            Self::Etcd => "etcd-ca",
            Self::FrontProxy => "front-proxy-ca",
        }
    }
}

/// One certificate and what is in it.
struct Certificate {
    file: &'static str,
    authority: Authority,
    user: String,
    group: Option<&'static str>,
    /// Names and addresses it serves; empty for a client.
    serves: Vec<String>,
}

impl Certificate {
    fn client(file: &'static str, user: &str, group: Option<&'static str>) -> Self {
        Self {
            file,
            authority: Authority::Cluster,
            user: user.into(),
            group,
            serves: Vec::new(),
        }
    }

    fn server(file: &'static str, user: &str, serves: &[&str]) -> Self {
        Self {
            serves: serves.iter().map(ToString::to_string).collect(),
            ..Self::client(file, user, None)
        }
    }

    fn of(self, authority: Authority) -> Self {
        Self { authority, ..self }
    }
}

/// Users and groups are those that Kubernetes' own roles are bound to; the
/// users named `longrun:` are bound by [`crate::roles`].
fn table(node: &str, address: Ipv4Addr) -> Vec<Certificate> {
    let api_names = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
        "127.0.0.1",
        &API_SERVICE.to_string(),
        &address.to_string(),
    ];
    let kubelet_user = format!("system:node:{node}");
    let etcd_names = ["localhost", "127.0.0.1"];
    vec![
        Certificate::server("apiserver", "kube-apiserver", &api_names),
        Certificate::server(
            "kubelet-server",
            &kubelet_user,
            &[node, &address.to_string()],
        ),
        Certificate::server("etcd", "etcd", &etcd_names).of(Authority::Etcd),
        Certificate::client("apiserver-etcd", "kube-apiserver", None).of(Authority::Etcd),
        Certificate::client("front-proxy", FRONT_PROXY, None).of(Authority::FrontProxy),
        Certificate::client("apiserver-kubelet", "longrun:apiserver", None),
        Certificate::client("kubelet", &kubelet_user, Some("system:nodes")),
        Certificate::client(
            "kube-controller-manager",
            "system:kube-controller-manager",
            None,
        ),
        Certificate::client("kube-scheduler", "system:kube-scheduler", None),
        Certificate::client("kube-proxy", "system:kube-proxy", None),
        Certificate::client("coredns", "longrun:coredns", None),
        Certificate::client("network-policies", "longrun:network-policies", None),
        Certificate::client("csi-provisioner", "longrun:csi-provisioner", None),
        Certificate::client("csi-resizer", "longrun:csi-resizer", None),
        Certificate::client("csi-snapshotter", "longrun:csi-snapshotter", None),
        Certificate::client("snapshot-controller", "longrun:snapshot-controller", None),
        Certificate::client("admin", "longrun:admin", Some("system:masters")),
    ]
}

/// Writes all certificates and keys into `directory`.
pub(crate) fn issue(directory: &Path, node: &str, subnet: Subnet) -> Result<(), Error> {
    files::make_directory(directory)?;
    let cluster = authority(directory, Authority::Cluster)?;
    let etcd = authority(directory, Authority::Etcd)?;
    let front_proxy = authority(directory, Authority::FrontProxy)?;
    for certificate in table(node, subnet.node()) {
        let issuer = match certificate.authority {
            Authority::Cluster => &cluster,
            Authority::Etcd => &etcd,
            Authority::FrontProxy => &front_proxy,
        };
        sign(directory, &certificate, issuer)?;
    }
    let tokens = kept_key(directory, "service-accounts")?;
    files::write(
        &directory.join("service-accounts.pub"),
        tokens.public_key_pem(),
    )
}

fn sign(
    directory: &Path,
    certificate: &Certificate,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<(), Error> {
    let failed = |source| Error::Certificate {
        name: certificate.file.into(),
        source,
    };
    let mut parameters = valid_for(CERTIFICATE_DAYS);
    let subject = &mut parameters.distinguished_name;
    subject.push(DnType::CommonName, certificate.user.as_str());
    if let Some(group) = certificate.group {
        subject.push(DnType::OrganizationName, group);
    }
    parameters.use_authority_key_identifier_extension = true;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if !certificate.serves.is_empty() {
        parameters
            .extended_key_usages
            .push(ExtendedKeyUsagePurpose::ServerAuth);
    }
    for name in &certificate.serves {
        parameters
            .subject_alt_names
            .push(match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(name.as_str().try_into().map_err(failed)?),
            });
    }
    let key = KeyPair::generate().map_err(failed)?;
    let signed = parameters.signed_by(&key, issuer).map_err(failed)?;
    files::write(
        &directory.join(format!("{}.key", certificate.file)),
        key.serialize_pem(),
    )?;
    files::write(
        &directory.join(format!("{}.crt", certificate.file)),
        signed.pem(),
    )
}

/// The authority, made at the first start.
fn authority(directory: &Path, which: Authority) -> Result<Issuer<'static, KeyPair>, Error> {
    let failed = |source| Error::Certificate {
        name: which.file().into(),
        source,
    };
    let mut parameters = valid_for(AUTHORITY_DAYS);
    parameters
        .distinguished_name
        .push(DnType::CommonName, format!("longrun {}", which.file()));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
    ];
    let key = kept_key(directory, which.file())?;
    let file = directory.join(format!("{}.crt", which.file()));
    if !file.exists() {
        let certificate = parameters.self_signed(&key).map_err(failed)?;
        files::write(&file, certificate.pem())?;
    }
    Ok(Issuer::new(parameters, key))
}

/// The key of that name, made at the first start.
fn kept_key(directory: &Path, name: &str) -> Result<KeyPair, Error> {
    let failed = |source| Error::Certificate {
        name: name.into(),
        source,
    };
    let file = directory.join(format!("{name}.key"));
    if let Some(content) = files::read(&file)? {
        return KeyPair::from_pem(&String::from_utf8_lossy(&content)).map_err(failed);
    }
    let key = KeyPair::generate().map_err(failed)?;
    files::write(&file, key.serialize_pem())?;
    Ok(key)
}

fn valid_for(days: u64) -> CertificateParams {
    let now = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(unix_now());
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    // A clock that is set back a little must not make all of it invalid.
    parameters.not_before = now - Duration::from_secs(DAY);
    parameters.not_after = now + Duration::from_secs(days * DAY);
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_and_the_token_key_stay_and_the_rest_is_new() {
        let directory = std::env::temp_dir().join(format!("longrun-pki-{}", std::process::id()));
        let read = |name: &str| std::fs::read(directory.join(name)).unwrap();
        let kept = ["ca.crt", "ca.key", "etcd-ca.crt", "service-accounts.key"];

        issue(&directory, "node", Subnet::first()).unwrap();
        let before = kept.map(read);
        let admin = read("admin.crt");
        issue(&directory, "node", Subnet::first()).unwrap();
        assert!(kept.map(read) == before);
        assert_ne!(read("admin.crt"), admin);

        std::fs::remove_dir_all(directory).unwrap();
    }

    /// Whether a client would take this server's certificate by this authority, so long ago.
    fn is_taken(directory: &Path, certificate: &str, authority: &str, ago: Duration) -> bool {
        use rustls::pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
        let read = |name: &str| {
            let path = directory.join(format!("{name}.crt"));
            CertificateDer::from_pem_file(path).unwrap()
        };
        let mut roots = rustls::RootCertStore::empty();
        roots.add(read(authority)).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), provider);
        let name = ServerName::try_from("localhost").unwrap();
        let then = UnixTime::since_unix_epoch(Duration::from_secs(unix_now()) - ago);
        let verifier = verifier.build().unwrap();
        rustls::client::danger::ServerCertVerifier::verify_server_cert(
            &*verifier,
            &read(certificate),
            &[],
            &name,
            &[],
            then,
        )
        .is_ok()
    }

    /// Whether a server would take this client's certificate by this authority.
    fn is_vouched_for(directory: &Path, client: &str, authority: &str) -> bool {
        use rustls::pki_types::{CertificateDer, UnixTime, pem::PemObject};
        let read = |name: &str| {
            let path = directory.join(format!("{name}.crt"));
            CertificateDer::from_pem_file(path).unwrap()
        };
        let mut roots = rustls::RootCertStore::empty();
        roots.add(read(authority)).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
        let verifier = verifier.build().unwrap();
        let taken = verifier.verify_client_cert(&read(client), &[], UnixTime::now());
        taken.is_ok()
    }

    #[test]
    fn an_authority_is_believed_by_its_own_clients_only() {
        let directory = std::env::temp_dir().join(format!("longrun-ca-{}", std::process::id()));
        issue(&directory, "node", Subnet::first()).unwrap();
        let taken =
            |certificate, authority| is_taken(&directory, certificate, authority, Duration::ZERO);
        assert!(taken("apiserver", "ca"));
        assert!(taken("etcd", "etcd-ca"));
        assert!(!taken("etcd", "ca"));
        assert!(!taken("apiserver", "etcd-ca"));
        let vouched = |authority| is_vouched_for(&directory, "front-proxy", authority);
        assert!(vouched("front-proxy-ca") && !vouched("ca"));
        let an_hour = Duration::from_secs(3600);
        assert!(
            is_taken(&directory, "etcd", "etcd-ca", an_hour),
            "a clock that is set back"
        );
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn each_certificate_is_of_the_authority_that_must_vouch_for_it() {
        let table = table("node", Subnet::first().node());
        let of = |authority: Authority| {
            let mine = table.iter().filter(|row| row.authority == authority);
            mine.map(|row| row.file).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of(Authority::Etcd), "etcd apiserver-etcd");
        assert_eq!(of(Authority::FrontProxy), "front-proxy");
        let grouped = table.iter().filter_map(|row| Some((row.file, row.group?)));
        let expected = [("kubelet", "system:nodes"), ("admin", "system:masters")];
        assert_eq!(grouped.collect::<Vec<_>>(), expected);
    }
}
