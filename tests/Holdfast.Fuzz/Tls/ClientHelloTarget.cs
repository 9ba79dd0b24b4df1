using Holdfast.Wire.Tls;

namespace Holdfast.Fuzz.Tls;

/// <summary>The look at a client's hello against a reader that goes byte by byte and throws where there is none left.</summary>
internal static class ClientHelloTarget
{
    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        var length = ClientHello.LengthOf(data);
        var bytes = data.ToArray();
        var isRecord = bytes.Length >= 5 && bytes[0] == 22 && bytes[1] == 3;
        var couldBe = bytes.Length < 5 && (bytes.Length == 0 || bytes[0] == 22);
        FuzzFailure.UnlessEqual(isRecord ? 5 + (bytes[3] * 256) + bytes[4] : couldBe ? -1 : 0, length, "the length of the first record");
        if (length > 0 && length <= bytes.Length)
            FuzzFailure.UnlessEqual(Oracle(bytes[..length]), ClientHello.OffersTls13(bytes.AsSpan(0, length)), "TLS 1.3 is offered");
        // Whatever it is given.
        _ = ClientHello.OffersTls13(data);
    }

    private static bool Oracle(byte[] record)
    {
        try
        {
            var reader = new Reader(record, 5, record.Length);
            if (reader.Number(1) != 1)
                return false;
            var hello = reader.Vector(3);
            hello.Skip(34);
            _ = hello.Vector(1);
            _ = hello.Vector(2);
            _ = hello.Vector(1);
            var extensions = hello.Vector(2);
            while (extensions.Left >= 2)
            {
                var type = extensions.Number(2);
                var extension = extensions.Vector(2);
                if (type != 43)
                    continue;
                var versions = extension.Vector(1);
                while (versions.Left >= 2)
                {
                    if (versions.Number(2) == 0x304)
                        return true;
                }

                return false;
            }

            return false;
        }
        catch (EndOfStreamException)
        {
            return false;
        }
    }

    private sealed class Reader(byte[] bytes, int at, int end)
    {
        private int _at = at;

        public int Left => end - _at;

        public void Skip(int count) => _ = Take(count);

        public int Number(int size)
        {
            var from = Take(size);
            var number = 0;
            for (var i = 0; i < size; i++)
                number = (number * 256) + bytes[from + i];
            return number;
        }

        public Reader Vector(int size)
        {
            var length = Number(size);
            var from = Take(length);
            return new Reader(bytes, from, from + length);
        }

        private int Take(int count)
        {
            if (count > Left)
                throw new EndOfStreamException();
            _at += count;
            return _at - count;
        }
    }
}
