//! What a node reads from the stream of a cluster.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::server::cluster::record::{ClusterRoster, Message, RosterPart, decode, encode};

/// The version of what is in the stream.
const FORMAT: u8 = 1;

/// Whatever is read is written and read again with the same meaning.
pub fn cluster_records(bytes: &[u8]) {
    let bytes = [&[FORMAT][..], bytes].concat();
    means_the_same::<Message>(&bytes);
    means_the_same::<ClusterRoster>(&bytes);
    means_the_same::<RosterPart>(&bytes);
}

fn means_the_same<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(value) = decode::<T>(bytes) {
        assert_eq!(decode::<T>(&encode(&value)), Ok(value));
    }
}
