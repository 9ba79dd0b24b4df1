namespace Holdfast.Manifests.Linting.Reading;

/// <summary>Why a text, or a part of one, was not looked at. Lines and columns from 1; 0: the file as a whole.</summary>
/// <param name="IsFault">False for what is left out by design (a template, a patch): told, but nobody's mistake.</param>
internal sealed record ReadProblem(string File, int Line, int Column, string Message, bool IsFault);
