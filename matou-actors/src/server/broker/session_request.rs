//! A private request of revision 2.

use crate::protocol::v2::SessionId;
use crate::server::registry::directory::Member;

/// Who asked whom, and under which number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionRequest {
    pub(crate) session: SessionId,
    pub(crate) asker: Member,
    pub(crate) asked: Member,
}
