using System.Net;
using FsCheck;
using FsCheck.Fluent;
using Holdfast.Testing;
using Holdfast.Wire.Dns;
using Xunit;

namespace Holdfast.Tests.Wire.Dns;

/// <summary>Questions as a server reads them, answers as a server writes them.</summary>
public sealed class DnsMessageTests
{
    private const ushort Id = 4711;

    private static readonly Config Runs = Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(500);

    private static readonly Gen<string> Labels =
        from length in Gen.Choose(1, 63)
        from chars in Gen.ArrayOf(Gen.Elements("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_".ToCharArray()), length)
        select new string(chars);

    private static readonly Gen<string> LegalNames =
        from count in Gen.Choose(1, 6)
        from labels in Gen.ArrayOf(Labels, count)
        let name = string.Join('.', labels)
        where name.Length <= 253
        select name;

    private static readonly Gen<string[]> AddressSets =
        from count in Gen.Choose(0, 40)
        from v4 in Gen.ArrayOf(Gen.Choose(0, int.MaxValue).Select(n => new IPAddress(BitConverter.GetBytes(n)).ToString()), count)
        from v6 in Gen.ArrayOf(Gen.Choose(0, int.MaxValue).Select(n => new IPAddress([0xFD, .. new byte[11], .. BitConverter.GetBytes(n)]).ToString()), count)
        select v4.Concat(v6).ToArray();

    [Fact]
    public void A_server_reads_the_question_that_was_written() => Prop.ForAll(Arb.From(LegalNames), Arb.From(Gen.Choose(0, 65535)), (name, id) =>
    {
        var question = Ask(name, DnsRecordType.Aaaa, (ushort)id, 1232);
        Assert.Equal(((ushort)id, name.ToLowerInvariant(), DnsMessages.Aaaa, 1232), (question.Id, question.Name, question.Type, question.UdpSize));
        Assert.Equal(0, Ask(name + ".", DnsRecordType.Aaaa, (ushort)id, 0).UdpSize);
    }).Check(Runs);

    [Fact]
    public void Every_address_of_an_answer_is_read_once() => Prop.ForAll(Arb.From(LegalNames), Arb.From(AddressSets), (name, addresses) =>
    {
        foreach (var type in (DnsRecordType[])[DnsRecordType.A, DnsRecordType.Aaaa])
        {
            var question = Ask(name, type);
            var owner = name.Length % 2 == 0 ? null : name.ToUpperInvariant();
            var message = DnsMessages.Respond(question, DnsMessages.Records(question, owner, addresses.Concat(addresses)));
            Assert.Equal(DnsFault.None, Parse(message, name, type, out var response));
            Assert.Equal(addresses.Where(a => a.Contains(':') == (type == DnsRecordType.Aaaa)).Distinct(), response.Addresses.Select(a => a.ToString()));
        }
    }).Check(Runs.WithMaxTest(100));

    [Fact]
    public void An_answer_that_breaks_off_anywhere_is_none()
    {
        var question = Ask("chat.test", DnsRecordType.A);
        var message = DnsMessages.Respond(question, [
            DnsMessages.Record(null, DnsMessages.Cname, DnsMessages.NameBytes("real.test")), .. DnsMessages.Records(question, "real.test", ["10.0.0.1", "10.0.0.2"]),
        ]);
        Assert.Equal(DnsFault.None, Parse(message, "chat.test", DnsRecordType.A, out var whole));
        Assert.Equal(2, whole.Addresses.Count);
        for (var length = 0; length < message.Length; length++)
        {
            var fault = Parse(message.AsSpan(0, length), "chat.test", DnsRecordType.A, out var response);
            Assert.Equal(length < 12 + question.Section.Length ? DnsFault.Foreign : DnsFault.Malformed, fault);
            Assert.Null(response.Addresses);
        }
    }

    [Fact]
    public void Only_the_very_question_is_answered()
    {
        var question = Ask("chat.test", DnsRecordType.A);
        var message = DnsMessages.Respond(question, DnsMessages.Records(question, null, ["10.0.0.1"]));

        Assert.Equal(DnsFault.None, Parse(message, "CHAT.test.", DnsRecordType.A, out _));
        Assert.Equal(DnsFault.Foreign, Parse(message, "chat.tesT2", DnsRecordType.A, out _));
        Assert.Equal(DnsFault.Foreign, Parse(message, "chat.test", DnsRecordType.Aaaa, out _));
        Assert.Equal(DnsFault.Foreign, DnsResponse.TryParse(message, Id + 1, Name("chat.test"), DnsRecordType.A, out _));
        message[2] &= 0x7F;
        Assert.Equal(DnsFault.Foreign, Parse(message, "chat.test", DnsRecordType.A, out _));
    }

    [Theory]
    [InlineData(DnsMessages.ServerFailure, DnsResponseCode.ServerFailure)]
    [InlineData(DnsMessages.NameError, DnsResponseCode.NameError)]
    [InlineData(DnsMessages.Refused, DnsResponseCode.Refused)]
    public void A_failure_has_no_addresses_whatever_else_it_holds(int code, DnsResponseCode expected)
    {
        var question = Ask("chat.test", DnsRecordType.A);
        Assert.Equal(DnsFault.None, Parse(DnsMessages.Respond(question, DnsMessages.Records(question, null, ["10.0.0.1"]), code), "chat.test", DnsRecordType.A, out var response));
        Assert.Equal(expected, response.Code);
        Assert.Empty(response.Addresses);
    }

    [Fact]
    public void A_failure_without_the_question_counts_but_no_answer_without_it()
    {
        var bare = Ask("chat.test", DnsRecordType.A, udpSize: 0) with { Section = [] };
        foreach (var code in (int[])[DnsMessages.FormatError, DnsMessages.ServerFailure, DnsMessages.Refused, DnsMessages.NoError, DnsMessages.NameError])
        {
            var message = DnsMessages.Respond(bare, [], code);
            message[5] = 0;
            var mayFail = code is not (DnsMessages.NoError or DnsMessages.NameError);
            Assert.Equal(mayFail ? DnsFault.None : DnsFault.Foreign, Parse(message, "chat.test", DnsRecordType.A, out _));
        }
    }

    [Fact]
    public void A_chain_is_followed_in_any_order_to_its_least_time_to_live()
    {
        var question = Ask("www.test", DnsRecordType.A);
        byte[][] records =
        [
            DnsMessages.Record(null, DnsMessages.Cname, DnsMessages.NameBytes("b.test"), 300),
            DnsMessages.Record("b.test", DnsMessages.Cname, DnsMessages.NameBytes("c.test"), 20),
            .. DnsMessages.Records(question, "c.test", ["10.0.0.1"], 60),
            .. DnsMessages.Records(question, "b.test", ["10.9.9.9"], 1),
        ];
        foreach (var order in (byte[][][])[records, [.. records.Reverse()]])
        {
            Assert.Equal(DnsFault.None, Parse(DnsMessages.Respond(question, order), "www.test", DnsRecordType.A, out var response));
            Assert.Equal(("10.0.0.1", 20u), (Assert.Single(response.Addresses).ToString(), response.TimeToLive));
        }
    }

    [Theory]
    [InlineData(16, DnsFault.None)]
    [InlineData(17, DnsFault.Malformed)]
    public void A_chain_of_sixteen_is_followed_and_no_longer_one(int links, DnsFault expected)
    {
        var question = Ask("c0.test", DnsRecordType.A);
        var records = Enumerable.Range(0, links).Select(i => DnsMessages.Record($"c{i}.test", DnsMessages.Cname, DnsMessages.NameBytes($"c{i + 1}.test")));
        var message = DnsMessages.Respond(question, [.. records, .. DnsMessages.Records(question, $"c{links}.test", ["10.0.0.1"])]);
        Assert.Equal(expected, Parse(message, "c0.test", DnsRecordType.A, out _));
    }

    [Fact]
    public void The_largest_message_of_addresses_is_read_whole()
    {
        var question = Ask("a", DnsRecordType.A, udpSize: 0);
        var addresses = Enumerable.Range(0, (65535 - 12 - question.Section.Length) / 16).Select(i => $"10.{i >> 16}.{(i >> 8) & 255}.{i & 255}").ToArray();
        Assert.Equal(DnsFault.None, Parse(DnsMessages.Respond(question, DnsMessages.Records(question, null, addresses)), "a", DnsRecordType.A, out var response));
        Assert.Equal(addresses, response.Addresses.Select(a => a.ToString()));
    }

    [Theory]
    [InlineData("", false)]
    [InlineData(".", false)]
    [InlineData("a", true)]
    [InlineData("a.", true)]
    [InlineData("a..", false)]
    [InlineData(".a", false)]
    [InlineData("a..b", false)]
    [InlineData("a b", false)]
    [InlineData("ä", false)]
    [InlineData("_x.a-b", true)]
    public void Names(string text, bool isName) => Assert.Equal(isName, DnsName.TryParse(text, out _));

    [Fact]
    public void Names_end_at_63_a_label_and_253_in_all()
    {
        Assert.True(DnsName.TryParse(new string('a', 63), out _));
        Assert.False(DnsName.TryParse(new string('a', 64), out _));
        var longest = string.Join('.', Enumerable.Repeat(new string('a', 63), 3)) + "." + new string('b', 61);
        Assert.True(DnsName.TryParse(longest, out var name) && name.Bytes.Length == 255 && DnsName.TryParse(longest + ".", out _));
        Assert.False(DnsName.TryParse(longest + "b", out _));
    }

    private static DnsQuestion Ask(string name, DnsRecordType type, ushort id = Id, ushort udpSize = 1232)
    {
        var bytes = new byte[DnsQuery.MaxLength];
        var length = DnsQuery.Write(bytes, id, Name(name), type, udpSize);
        return DnsMessages.Read(bytes.AsSpan(0, length), isTcp: false, new IPEndPoint(IPAddress.Loopback, 53));
    }

    private static DnsName Name(string text)
    {
        Assert.True(DnsName.TryParse(text, out var name));
        return name;
    }

    private static DnsFault Parse(ReadOnlySpan<byte> message, string name, DnsRecordType type, out DnsResponse response) =>
        DnsResponse.TryParse(message, Id, Name(name), type, out response);
}
