namespace Holdfast.Api.Yaml;

/// <summary>Why a text is not one usable YAML document. Lines and columns from 1.</summary>
internal sealed record YamlFault(int Line, int Column, string Message);
