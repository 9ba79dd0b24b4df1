using Xunit;

namespace Holdfast.Testing;

/// <summary>What a test needs from the machine.</summary>
public static class Requires
{
    /// <summary>The path of a program on the PATH. Without it the test is skipped, and fails where CI is <c>true</c>: there nothing may be missing.</summary>
    /// <param name="name">The program's file name, such as <c>chromium</c>.</param>
    public static string Tool(string name)
    {
        foreach (var folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries))
        {
            var path = Path.Combine(folder, name);
            if (File.Exists(path))
                return path;
        }

        Missing($"{name} is not on the PATH");
        return name;
    }

    private static void Missing(string what)
    {
        if (string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase))
            Assert.Fail(what + ", and CI=true lets no test go without what it needs");
        Assert.Skip(what);
    }
}
