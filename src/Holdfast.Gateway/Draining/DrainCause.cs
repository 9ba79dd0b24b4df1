namespace Holdfast.Gateway.Draining;

/// <summary>Why an endpoint is drained. Several may hold at once; it returns to service when none is left.</summary>
internal enum DrainCause
{
    /// <summary>The admin API asked for it. The endpoint still serves: it takes new connections when no other is ready.</summary>
    Admin = 0,

    /// <summary>The configuration no longer lists it.</summary>
    Removed = 1,

    /// <summary>Good DNS answers no longer hold its address; its connections have dns.grace.</summary>
    Missing = 2,

    /// <summary>It fails its active check.</summary>
    FailedCheck = 3,
}
