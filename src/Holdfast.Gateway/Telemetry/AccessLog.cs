using System.Buffers;
using System.Text.Json;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Pairs;
using Microsoft.Win32.SafeHandles;

namespace Holdfast.Gateway.Telemetry;

/// <summary>
/// JSON lines, one per connection's end, one per refused handshake and one per plain request. Loops put plain records into a bounded ring and go on; a thread of its
/// own writes them. An output that is slow, full or closed costs lines, which are counted, and never time of a loop.
/// </summary>
internal sealed class AccessLog : IConnectionTelemetry, IRequestTelemetry, IDisposable
{
    /// <summary>Records that may wait: 20,000 connections closed at once keep a writer busy for some 10 ms, in which about half of them come.</summary>
    public const int DefaultCapacity = 8192;

    private const int BatchBytes = 64 * 1024;

    /// <summary>How long the writer gathers before it writes again: a busy gateway pays a few dozen wake-ups and writes a second, not one per line.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromMilliseconds(20);

    /// <summary>How long a stop waits for an output that takes nothing.</summary>
    private static readonly TimeSpan FlushTimeout = TimeSpan.FromSeconds(2);

    private readonly Stream _output;
    private readonly TimeProvider _time;
    private readonly RecordRing<AccessRecord> _ring;
    private readonly AutoResetEvent _signal = new(false);
    private readonly ArrayBufferWriter<byte> _batch = new(4096);
    private readonly Thread? _thread;
    private int _asleep;
    private volatile bool _stopping;
    private long _dropped;
    private bool _torn;

    /// <param name="output">Written by one thread; not disposed here.</param>
    /// <param name="enabled">False: writes nothing, counts nothing, has no thread.</param>
    /// <param name="capacity">Records that may wait; a power of two.</param>
    public AccessLog(Stream output, TimeProvider time, bool enabled = true, int capacity = DefaultCapacity)
    {
        _output = output;
        _time = time;
        _ring = new RecordRing<AccessRecord>(enabled ? capacity : 1);
        if (!enabled)
            return;
        _thread = new Thread(Run) { Name = "holdfast-access-log", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Lines lost to a full ring or a failing output; any thread.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>
    /// The process's standard output, so that a closed pipe is an error and not silence. A regular file goes through the console's stream,
    /// which appends where others write too. Not to be disposed.
    /// </summary>
    public static Stream OpenStandardOutput()
    {
        try
        {
            return OpenOutput(new SafeFileHandle(1, ownsHandle: false)) ?? Console.OpenStandardOutput();
        }
        catch (Exception e) when (e is IOException or ArgumentException or UnauthorizedAccessException)
        {
            return Console.OpenStandardOutput();
        }
    }

    /// <summary>Null for a regular file: this stream would write at places of its own counting.</summary>
    internal static Stream? OpenOutput(SafeFileHandle handle)
    {
        var stream = new FileStream(handle, FileAccess.Write, bufferSize: 0, isAsync: false);
        return stream.CanSeek ? null : stream;
    }

    /// <summary>Any thread; allocates nothing and does not wait.</summary>
    public void OnPairEnded(in PairEnd end, BackendState backend, EndpointState endpoint)
    {
        if (_thread is null)
            return;
        Enqueue(new AccessRecord { TimeTicks = _time.GetUtcNow().UtcTicks, Backend = backend, Endpoint = endpoint, End = end });
    }

    /// <summary>Nothing: re-homes are a part of the line of the connection's end.</summary>
    public void OnRehomed(in RehomeEnd end, BackendState backend)
    {
    }

    /// <summary>Any thread; allocates nothing and does not wait. An upgraded handshake has its line when the connection ends.</summary>
    public void OnHandshakeEnded(in HandshakeRecord record)
    {
        if (_thread is null || record.Outcome == HandshakeOutcome.Upgraded)
            return;
        Enqueue(new AccessRecord
        {
            TimeTicks = _time.GetUtcNow().UtcTicks,
            IsHandshake = true,
            Outcome = record.Outcome,
            Status = record.Status,
            Attempts = record.Attempts,
            Backend = record.Backend,
            Endpoint = record.Endpoint,
            End = new PairEnd { Id = record.Id, Client = record.Client, HandshakeMs = record.DurationMs, Path = record.Path },
        });
    }

    /// <summary>Any thread; allocates nothing and does not wait.</summary>
    public void OnRequestEnded(in RequestRecord record)
    {
        if (_thread is null)
            return;
        Enqueue(new AccessRecord
        {
            TimeTicks = _time.GetUtcNow().UtcTicks,
            IsRequest = true,
            RequestOutcome = record.Outcome,
            Method = record.Method,
            Status = record.Status,
            Attempts = record.Attempts,
            Backend = record.Backend,
            Endpoint = record.Endpoint,
            End = new PairEnd
            {
                Id = record.Id,
                Client = record.Client,
                Path = record.Path,
                DurationMs = record.DurationMs,
                BytesFromClient = record.BytesFromClient,
                BytesFromEndpoint = record.BytesFromEndpoint,
            },
        });
    }

    /// <summary>Writes what is in the ring, for at most two seconds. What comes later is lost.</summary>
    public void Dispose()
    {
        if (_stopping)
            return;
        _stopping = true;
        _signal.Set();
        // A writer stuck in a full pipe is left behind: it is a background thread and ends with the process.
        if (_thread is null || _thread.Join(FlushTimeout))
            _signal.Dispose();
    }

    private void Enqueue(in AccessRecord record)
    {
        if (_stopping || !_ring.TryEnqueue(in record))
        {
            Interlocked.Increment(ref _dropped);
            return;
        }

        // The writer marks itself asleep before it looks at the ring a last time, so no wake-up is lost; one per batch is sent.
        if (Interlocked.Exchange(ref _asleep, 0) == 1 || _ring.Count == _ring.Capacity / 2)
            Wake();
    }

    private void Wake()
    {
        try
        {
            _signal.Set();
        }
        catch (ObjectDisposedException)
        {
            // Stopped in between.
        }
    }

    private void Run()
    {
        using var json = new Utf8JsonWriter(_batch, AccessLogLine.Options);
        while (true)
        {
            var last = _stopping;
            var written = Drain(json);
            if (last)
                return;
            if (written > 0)
            {
                _signal.WaitOne(Linger);
                continue;
            }

            Volatile.Write(ref _asleep, 1);
            Interlocked.MemoryBarrier();
            if (_ring.Count == 0 && !_stopping)
                _signal.WaitOne();
            Volatile.Write(ref _asleep, 0);
        }
    }

    private int Drain(Utf8JsonWriter json)
    {
        var total = 0;
        var lines = 0;
        while (_ring.TryDequeue(out var record))
        {
            if (_torn && lines == 0)
                _batch.Write("\n"u8);
            AccessLogLine.Write(json, in record);
            json.Flush();
            json.Reset(_batch);
            _batch.Write("\n"u8);
            total++;
            lines++;
            if (_batch.WrittenCount >= BatchBytes)
                lines = WriteBatch(lines);
        }

        _ = WriteBatch(lines);
        return total;
    }

    /// <summary>Always 0: the lines left to write.</summary>
    private int WriteBatch(int lines)
    {
        if (lines == 0)
            return 0;
        try
        {
            _output.Write(_batch.WrittenSpan);
            _output.Flush();
            _torn = false;
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or UnauthorizedAccessException or NotSupportedException)
        {
            Interlocked.Add(ref _dropped, lines);
            // A part may have been written: the next batch starts on a line of its own.
            _torn = true;
        }

        _batch.ResetWrittenCount();
        return 0;
    }
}
