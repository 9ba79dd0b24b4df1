using FsCheck;
using FsCheck.Fluent;
using Holdfast.Fuzz;
using Holdfast.Fuzz.WebSocket;
using Holdfast.Wire.WebSocket;
using Xunit;

namespace Holdfast.Tests.Wire.WebSocket;

/// <summary>Scanner against oracle: same frames, same verdict, same error at the same place, however the stream is cut.</summary>
public sealed class FrameScannerAgreementTests
{
    private static readonly Config Runs = Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(2000);

    private static readonly Gen<(FrameSender Sender, ReservedBits Reserved)> Settings =
        from sender in Gen.Elements(FrameSender.Client, FrameSender.Server)
        from reserved in Gen.Elements(Enum.GetValues<ReservedBits>())
        select (sender, reserved);

    private static readonly Gen<int> Seeds = Gen.Choose(0, int.MaxValue - 1);

    [Fact]
    public void Random_bytes() => Check(
        from bytes in ArbMap.Default.GeneratorFor<byte[]>()
        select (Func<FrameSender, ReservedBits, byte[]>)((_, _) => bytes));

    [Fact]
    public void Random_bytes_after_a_first_byte_that_is_legal() => Check(
        from bytes in ArbMap.Default.GeneratorFor<byte[]>()
        from first in Gen.Elements<byte>(0x01, 0x02, 0x81, 0x82, 0x88, 0x89, 0x8A, 0xC1)
        from length in Gen.Elements(0, 5, 125, 126, 127)
        select (Func<FrameSender, ReservedBits, byte[]>)((sender, _) =>
            [first, (byte)(length | (sender == FrameSender.Client ? 0x80 : 0)), .. bytes]));

    [Fact]
    public void Legal_streams_have_no_error_and_end_between_messages()
    {
        Prop.ForAll(Arb.From(Settings), Arb.From(Seeds), (settings, seed) =>
        {
            var random = new Random(seed);
            byte[] stream = FrameBytes.LegalStream(settings.Sender, settings.Reserved, random);
            var driver = new FrameDriver(settings.Sender, settings.Reserved);
            driver.Feed(stream, Splits.Random(stream.Length, random));
            Assert.Equal((FrameError.None, stream.Length, true), (driver.Error, driver.Passed, driver.AtMessageBoundary));
            FrameDriver.AssertAgreement(settings.Sender, settings.Reserved, stream, Splits.Whole(stream.Length));
            FrameDriver.AssertAgreement(settings.Sender, settings.Reserved, stream, Splits.Random(stream.Length, random));
            return true;
        }).Check(Runs.WithMaxTest(300));
    }

    [Fact]
    public void Mutated_streams() => Check(
        from seed in Seeds
        select (Func<FrameSender, ReservedBits, byte[]>)((sender, reserved) =>
        {
            var random = new Random(seed);
            byte[] stream = FrameBytes.LegalStream(sender, reserved, random);
            if (stream.Length > 4096)
                stream = stream[..4096];
            return new Mutator(random).Mutate(stream, [FrameBytes.LegalStream(sender, reserved, random)]);
        }));

    [Fact]
    public void A_stream_of_every_shape_cut_at_every_byte()
    {
        foreach (FrameSender sender in new[] { FrameSender.Client, FrameSender.Server })
        {
            byte[]? key = FrameBytes.KeyOf(sender);
            byte[] stream =
            [
                .. FrameBytes.Frame(0x81, "Hello"u8, key), .. FrameBytes.Frame(0x82, [], key), .. FrameBytes.Frame(0x01, "Hel"u8, key),
                .. FrameBytes.Frame(0x89, "are you there"u8, key), .. FrameBytes.Frame(0x00, [], key), .. FrameBytes.Frame(0x8A, [], key),
                .. FrameBytes.Frame(0x80, "lo"u8, key), .. FrameBytes.Frame(0x82, new byte[125], key), .. FrameBytes.Frame(0x82, new byte[126], key),
                .. FrameBytes.Frame(0x8A, new byte[125], key), .. FrameBytes.Frame(0x88, [3, 0xE8], key),
                .. FrameBytes.Header(0x82, 64, 70_000, key), 1, 2, 3,
            ];
            for (int cut = 0; cut <= stream.Length; cut++)
            {
                FrameDriver.AssertAgreement(sender, ReservedBits.Refused, stream.AsSpan(0, cut), Splits.Whole(cut));
                FrameDriver.AssertAgreement(sender, ReservedBits.Refused, stream, [cut, stream.Length - cut]);
                for (int second = cut; second <= Math.Min(cut + 20, stream.Length); second++)
                    FrameDriver.AssertAgreement(sender, ReservedBits.Refused, stream, [cut, second - cut, stream.Length - second]);
            }
        }
    }

    [Fact]
    public void The_oracle_catches_a_scanner_that_is_wrong()
    {
        // A stream read under another policy stands for a faulty scanner.
        byte[] stream = FrameBytes.Frame(0xC1, "compressed"u8, key: null);
        var oracle = new FrameOracle(FrameSender.Server, ReservedBits.CompressionOnly);
        oracle.Feed(stream);
        var driver = new FrameDriver(FrameSender.Server, ReservedBits.Refused);
        driver.Feed(stream, Splits.Whole(stream.Length));
        Assert.Throws<FuzzFailure>(() => driver.AssertAgrees(oracle));
    }

    private static void Check(Gen<Func<FrameSender, ReservedBits, byte[]>> streams)
    {
        Prop.ForAll(Arb.From(Settings), Arb.From(streams), Arb.From(Seeds), (settings, make, seed) =>
        {
            byte[] stream = make(settings.Sender, settings.Reserved);
            FrameDriver.AssertAgreement(settings.Sender, settings.Reserved, stream, Splits.Whole(stream.Length));
            FrameDriver.AssertAgreement(settings.Sender, settings.Reserved, stream, Splits.Random(stream.Length, new Random(seed)));
            return true;
        }).Check(Runs);
    }
}
