namespace Holdfast.Manifests.Linting.Rules.Pods;

/// <summary>As much of a shell's script as the rules about pods need: not a parser, but nothing in it can be a surprise.</summary>
internal static class ShellScript
{
    private static readonly char[] Breaks = [.. " \t\r\n;&|()`\"'$[]{}<>"];

    /// <summary>All words, also those within quotes and substitutions.</summary>
    public static string[] Words(string script) => script.Split(Breaks, StringSplitOptions.RemoveEmptyEntries);

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
