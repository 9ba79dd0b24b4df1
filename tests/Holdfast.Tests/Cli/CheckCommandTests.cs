using Holdfast.Cli;
using Holdfast.Cli.Commands;
using Xunit;

namespace Holdfast.Tests.Cli;

public class CheckCommandTests
{
    [Fact]
    public void A_good_file_gives_one_line_of_summary()
    {
        var (code, output, error) = Check(Path.Combine(Repository.Root, "docs", "examples", "gateway.yaml"));
        Assert.Equal(ExitCodes.Ok, code);
        Assert.EndsWith("gateway.yaml: ok: 3 listeners, 8 routes, 4 backends, 7 endpoints\n", output, StringComparison.Ordinal);
        Assert.Empty(error);
    }

    [Fact]
    public void Every_fault_of_a_bad_file_is_a_line_on_the_error_stream()
    {
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, "listeners: []\nhold: 1\nroutes: 5\n");
            var (code, output, error) = Check(file);
            Assert.Equal(ExitCodes.BadUsage, code);
            Assert.Empty(output);
            Assert.Equal([$"{file}:1:12: listeners", $"{file}:2:1: hold", $"{file}:3:9: routes"],
                error.TrimEnd().Split('\n').Select(l => string.Join(": ", l.Split(": ").Take(2))));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void A_missing_file_is_one_clear_line()
    {
        var (code, output, error) = Check("no/such/file.yaml");
        Assert.Equal((ExitCodes.BadUsage, "", "no/such/file.yaml: there is no such file\n"), (code, output, error));
    }

    private static (int Code, string Output, string Error) Check(string path)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var command = CheckCommand.Create();
        var code = command.Parse(["--config", path]).Invoke(new() { Output = output, Error = error });
        return (code, output.ToString(), error.ToString());
    }
}
