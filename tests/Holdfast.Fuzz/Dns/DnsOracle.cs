using System.Net;

namespace Holdfast.Fuzz.Dns;

/// <summary>An answer read the slow way: names as lists of labels, every record as an object, an exception where the format breaks.</summary>
internal sealed class DnsOracle
{
    private readonly byte[] _message;
    private int _at = 12;

    private DnsOracle(byte[] message) => _message = message;

    public int Id { get; private init; }

    public string Question { get; private set; } = "";

    public int Type { get; private set; }

    public bool IsTruncated { get; private init; }

    public int Code { get; private set; }

    /// <summary>False: what follows the question breaks the rules.</summary>
    public bool IsWellFormed { get; private set; }

    public IReadOnlyList<IPAddress> Addresses { get; private set; } = [];

    public uint TimeToLive { get; private set; }

    /// <summary>Null when no question could have this for its answer, or the question is no name of the product's own making.</summary>
    public static DnsOracle? Read(byte[] message)
    {
        if (message.Length < 12)
            return null;
        var oracle = new DnsOracle(message) { Id = U16(message, 0), IsTruncated = (message[2] & 2) != 0, Code = message[3] & 15 };
        if ((message[2] & 0xF8) != 0x80 || U16(message, 4) != 1)
            return null;
        try
        {
            oracle.Question = string.Join('.', oracle.Name());
            oracle.Type = oracle.Word();
            if (oracle.Word() != 1)
                return null;
        }
        catch (FormatException)
        {
            return null;
        }

        if (oracle.IsTruncated)
        {
            oracle.IsWellFormed = true;
            return oracle;
        }

        try
        {
            oracle.Records();
            oracle.IsWellFormed = true;
        }
        catch (FormatException)
        {
            // As IsWellFormed says.
        }

        return oracle;
    }

    private static int U16(byte[] bytes, int at) => (bytes[at] << 8) | bytes[at + 1];

    private void Records()
    {
        var aliases = new List<(string Owner, string Target, uint Ttl)>();
        var addresses = new List<(string Owner, IPAddress Address, uint Ttl)>();
        int opts = 0;
        int[] counts = [U16(_message, 6), U16(_message, 8), U16(_message, 10)];
        for (int section = 0; section < 3; section++)
        {
            for (int i = 0; i < counts[section]; i++)
            {
                string owner = string.Join('.', Name());
                int type = Word(), @class = Word();
                uint ttl = ((uint)Word() << 16) | (uint)Word();
                int length = Word(), data = _at;
                Need(data + length <= _message.Length);
                if (section == 2 && type == 41)
                {
                    Need(owner.Length == 0 && ++opts == 1);
                    Code |= (int)(ttl >> 24) << 4;
                }

                ttl = ttl >= 0x80000000 ? 0 : ttl;
                if (section == 0 && @class == 1 && type == 5)
                {
                    string target = string.Join('.', Name());
                    Need(_at == data + length);
                    aliases.Add((owner, target, ttl));
                }
                else if (section == 0 && @class == 1 && type == Type && type is 1 or 28)
                {
                    Need(length == (type == 1 ? 4 : 16));
                    addresses.Add((owner, new IPAddress(_message[data..(data + length)]), ttl));
                }

                _at = data + length;
            }
        }

        if (Code == 0)
            Follow(aliases, addresses);
    }

    private void Follow(List<(string Owner, string Target, uint Ttl)> aliases, List<(string Owner, IPAddress Address, uint Ttl)> addresses)
    {
        string name = Question;
        var ttls = new List<uint>();
        while (aliases.FindIndex(a => a.Owner == name) is >= 0 and var alias)
        {
            ttls.Add(aliases[alias].Ttl);
            Need(ttls.Count <= 16);
            name = aliases[alias].Target;
        }

        var found = addresses.Where(a => a.Owner == name).ToArray();
        Addresses = [.. found.Select(a => a.Address).Distinct()];
        TimeToLive = found.Length == 0 ? 0 : ttls.Concat(found.Select(a => a.Ttl)).Min();
    }

    private int Word()
    {
        Need(_at + 2 <= _message.Length);
        _at += 2;
        return U16(_message, _at - 2);
    }

    /// <summary>The labels, in lower case and escaped so that joining them with dots is unambiguous.</summary>
    private List<string> Name()
    {
        var labels = new List<string>();
        int bytes = 1, pointers = 0;
        (int end, int segment, int at) = (-1, _at, _at);
        while (true)
        {
            Need(at < _message.Length);
            int length = _message[at];
            if (length == 0)
                break;
            if (length >= 192)
            {
                Need(at + 1 < _message.Length);
                end = end < 0 ? at + 2 : end;
                at = U16(_message, at) & 0x3FFF;
                Need(at >= 12 && at < segment && ++pointers < 128);
                segment = at;
                continue;
            }

            bytes += 1 + length;
            Need(length < 64 && at + length < _message.Length && bytes <= 255);
            labels.Add(string.Concat(_message[(at + 1)..(at + 1 + length)].Select(b => b is > (byte)' ' and <= (byte)'~' and not ((byte)'.' or (byte)'\\')
                ? char.ToLowerInvariant((char)b).ToString()
                : $"\\{b:x2}")));
            at += 1 + length;
        }

        _at = end < 0 ? at + 1 : end;
        return labels;
    }

    private static void Need(bool holds)
    {
        if (!holds)
            throw new FormatException();
    }
}
