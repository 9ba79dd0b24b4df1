namespace Holdfast.Manifests.Linting.Graph.Signs;

/// <summary>
/// Words that make a user of WebSockets likely. Kept few: a linter that speaks about others is switched off. A word such as <c>ws</c> counts in
/// paths and port names, not in names of objects, where it often stands for "web service".
/// </summary>
internal static class LikelyWords
{
    private static readonly HashSet<string> PathWords = new(StringComparer.OrdinalIgnoreCase)
    {
        "ws", "wss", "websocket", "websockets", "web-socket", "socket.io", "socketio", "engine.io", "sockjs", "signalr", "cable",
    };

    private static readonly HashSet<string> PortWords = new(StringComparer.OrdinalIgnoreCase) { "ws", "wss", "websocket", "websockets", "socketio", "signalr" };

    private static readonly HashSet<string> NameWords = new(StringComparer.OrdinalIgnoreCase) { "websocket", "websockets", "socketio", "signalr" };

    private static readonly HashSet<string> VariableWords = new(StringComparer.OrdinalIgnoreCase) { "WS", "WSS", "WEBSOCKET", "WEBSOCKETS", "SOCKETIO", "SIGNALR" };

    /// <summary>A variable that ends so names somebody else's server.</summary>
    private static readonly string[] ClientEndings = ["URL", "URI", "HOST", "ENDPOINT", "ADDRESS", "ADDR", "ORIGIN", "ORIGINS", "SERVER"];

    /// <summary>A segment of a route's path, also within a pattern: <c>/ws</c>, <c>/api/socket.io(/|$)(.*)</c>, <c>/chat-ws</c>.</summary>
    public static bool IsPath(string path)
    {
        var plain = path.Replace("\\.", ".", StringComparison.Ordinal);
        foreach (var range in plain.AsSpan().SplitAny("/()|$^*?+[]{}\\`\"' ,"))
        {
            var segment = plain.AsSpan(range).Trim('.');
            if (segment.Length == 0)
                continue;
            if (PathWords.Contains(segment.ToString()) || segment.StartsWith("ws-", StringComparison.OrdinalIgnoreCase) || segment.EndsWith("-ws", StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }

    /// <summary><c>ws</c>, <c>http-ws</c>, <c>websocket</c>.</summary>
    public static bool IsPortName(string name) => HasWord(name, PortWords);

    /// <summary><c>chat-websocket</c>.</summary>
    public static bool IsObjectName(string name) => HasWord(name, NameWords);

    /// <summary><c>WS_PORT</c>, <c>ENABLE_WEBSOCKETS</c>, but not <c>BACKEND_WS_URL</c>, which a client of WebSockets has.</summary>
    public static bool IsVariable(string name) =>
        name.Replace("SOCKET_IO", "SOCKETIO", StringComparison.OrdinalIgnoreCase).Replace("WEB_SOCKET", "WEBSOCKET", StringComparison.OrdinalIgnoreCase) is var folded
        && HasWord(folded, VariableWords) && !ClientEndings.Contains(folded[(folded.LastIndexOf('_') + 1)..], StringComparer.OrdinalIgnoreCase);

    private static bool HasWord(string text, HashSet<string> words)
    {
        foreach (var range in text.AsSpan().SplitAny("-_."))
        {
            if (words.Contains(text[range]))
                return true;
        }

        return false;
    }
}
