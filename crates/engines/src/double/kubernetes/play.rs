//! What a test can say about how a cluster behaves. Data only.

/// What a pod does between two looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// No node takes it, for this reason.
    Unscheduled(String),
    /// Its container waits: the reason, and the message.
    Waits(String, String),
    /// Its container has begun, and prints these lines.
    Prints(Vec<String>),
    /// The command of its container is run, and has ended.
    Runs,
    /// Its container ends with this status.
    Ends(i32),
    /// Its container is killed for the memory that it took.
    RunsOutOfMemory,
    /// Its node evicts it.
    IsEvicted,
    /// Its own time is over.
    IsOverdue,
    /// It is gone with its node.
    Vanishes,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It does not arrive.
    Lost,
    /// It takes effect, and its answer does not arrive.
    AnswerLost,
    /// Too many requests (429): ask again after so many seconds.
    Busy(u32),
    /// 503.
    Unavailable,
    /// 410.
    Gone,
    /// It goes well. Put before others, those meet a later call.
    None,
}
