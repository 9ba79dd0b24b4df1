namespace Holdfast.Manifests.Linting.Rules.Pods;

/// <summary>As much of a shell's script as the rules about pods need: not a parser, but nothing in it can be a surprise.</summary>
internal static class ShellScript
{
    private static readonly char[] Breaks = [.. " \t\r\n;&|()`\"'$[]{}<>"];

    /// <summary>All words, also those within quotes and substitutions.</summary>
    public static string[] Words(string script) => script.Split(Breaks, StringSplitOptions.RemoveEmptyEntries);

    /// <summary>
    /// <c>exec</c> or <c>trap</c> where a command begins: after a separator, a keyword, or an assignment; not in <c>bundle exec</c>.
    /// </summary>
    public static bool HandsSignalsOn(string script)
    {
        foreach (var line in script.Split('\n'))
        {
            var previous = ";";
            foreach (var word in line.Split([' ', '\t', '\r'], StringSplitOptions.RemoveEmptyEntries))
            {
                if (word is "exec" or "trap" && (previous[^1] is ';' or '&' or '|' or '(' or '{' || previous is "then" or "do" or "else" || previous.Contains('=', StringComparison.Ordinal)))
                    return true;
                previous = word;
            }
        }

        return false;
    }

    /// <summary>A pipeline or a background job outside of quotes and substitutions: no shell replaces itself by those.</summary>
    public static bool HasPipelineOrJob(string script)
    {
        var quote = '\0';
        var depth = 0;
        for (var i = 0; i < script.Length; i++)
        {
            var c = script[i];
            var next = i + 1 < script.Length ? script[i + 1] : '\0';
            if (c == '\\')
                i++;
            else if (quote != '\0')
                quote = c == quote ? '\0' : quote;
            else if (c is '\'' or '"' or '`')
                quote = c;
            else if (c == '(')
                depth++;
            else if (c == ')')
                depth--;
            else if (depth > 0)
                continue;
            // && and ||
            else if (c is '|' or '&' && next == c)
                i++;
            else if (c == '|')
                return true;
            // 2>&1, &>file
            else if (c == '&' && next != '>' && (i == 0 || script[i - 1] is not ('>' or '<')))
                return true;
        }

        return false;
    }
}
