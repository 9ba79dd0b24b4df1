namespace Holdfast.Gateway.Auth;

/// <summary>
/// Counts questions under way, exactly within their limit. Handshakes take a place or come again, since they have a queue of their own; plain requests wait here in turn. A quarter
/// of the places is the handshakes' alone, or pages that many poll could keep them out for ever. Thread-safe.
/// </summary>
internal sealed class AuthPlaces(int count)
{
    /// <summary>Plain requests that may wait: with more the service has long been too slow for all of them.</summary>
    public const int MostWaiting = 1024;

    private readonly int _mostPlain = count > 1 ? count - Math.Max(1, count / 4) : 1;
    private readonly Lock _lock = new();
    private readonly LinkedList<TaskCompletionSource<bool>> _waiting = new();
    private int _taken;
    private int _plain;

    /// <summary>For tests and telemetry.</summary>
    public int Taken => Volatile.Read(ref _taken);

    public bool TryEnter()
    {
        lock (_lock)
        {
            if (_taken == count)
                return false;
            _taken++;
            return true;
        }
    }

    /// <summary>Waits for a plain request's place. False: too many wait. Throws when cancelled, and then holds no place.</summary>
    public async Task<bool> EnterPlainAsync(CancellationToken cancel)
    {
        LinkedListNode<TaskCompletionSource<bool>> node;
        lock (_lock)
        {
            if (HasPlain && _waiting.Count == 0)
            {
                _taken++;
                _plain++;
                return true;
            }

            if (_waiting.Count == MostWaiting)
                return false;
            node = _waiting.AddLast(new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        // Whoever takes it off the list decides: here or in Exit.
        await using (cancel.UnsafeRegister(_ => Cancel(node, cancel), null).ConfigureAwait(false))
            return await node.Value.Task.ConfigureAwait(false);
    }

    public void Exit() => Exit(plain: 0);

    public void ExitPlain() => Exit(plain: 1);

    private bool HasPlain => _taken < count && _plain < _mostPlain;

    private void Exit(int plain)
    {
        lock (_lock)
        {
            if (_taken == 0 || _plain < plain)
                throw new InvalidOperationException("a place was given back that nobody has");
            _taken--;
            _plain -= plain;
            while (HasPlain && _waiting.First is { } next)
            {
                _waiting.RemoveFirst();
                _taken++;
                _plain++;
                next.Value.SetResult(true);
            }
        }
    }

    private void Cancel(LinkedListNode<TaskCompletionSource<bool>> node, CancellationToken cancel)
    {
        lock (_lock)
        {
            if (node.List is null)
                return;     // It has its place, and notices later.
            _waiting.Remove(node);
        }

        node.Value.SetCanceled(cancel);
    }
}
