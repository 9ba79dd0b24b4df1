namespace Holdfast.Wire.Dns;

/// <summary>The types of records that matter to a search for addresses (RFC 1035 section 3.2.2, RFC 3596, RFC 6891).</summary>
public enum DnsRecordType : ushort
{
    /// <summary>An IPv4 address.</summary>
    A = 1,

    /// <summary>Another name for the same.</summary>
    Cname = 5,

    /// <summary>An IPv6 address.</summary>
    Aaaa = 28,

    /// <summary>No data but what the message itself allows: the size of datagrams, more bits of the response code.</summary>
    Opt = 41,
}

/// <summary>How a name server answered (RFC 1035 section 4.1.1, RFC 6891 section 9). Others may come; they are failures.</summary>
public enum DnsResponseCode : ushort
{
    NoError = 0,

    /// <summary>The server does not understand the question; an old one says so of an OPT record.</summary>
    FormatError = 1,

    ServerFailure = 2,

    /// <summary>The name does not exist.</summary>
    NameError = 3,

    NotImplemented = 4,

    Refused = 5,

    /// <summary>The server knows another version of EDNS only.</summary>
    BadVersion = 16,
}

/// <summary>Why bytes are no answer to a question.</summary>
public enum DnsFault
{
    None = 0,

    /// <summary>Not an answer to this question: ignored, since anybody can send a datagram, and waited on.</summary>
    Foreign = 1,

    /// <summary>An answer to this question that breaks the format's rules.</summary>
    Malformed = 2,
}
