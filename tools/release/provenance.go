package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// provenance writes an in-toto statement with a SLSA 1.0 predicate: what was made, from which commit and which modules, by
// which command. It is not signed, so it documents the build and proves nothing: whoever can replace the files can
// replace the statement. (https://slsa.dev/spec/v1.0/provenance; that is build level 1.)
func (r *release) provenance(made []artifact) error {
	const repository = "git+https://github.com/ag-computational-bio/bakta-web-backend"
	type digests map[string]string
	type subject struct {
		Name   string  `json:"name"`
		Digest digests `json:"digest"`
	}
	type dependency struct {
		URI    string  `json:"uri"`
		Digest digests `json:"digest"`
	}
	var subjects []subject
	modules := make(map[string]dependency) // by URI
	for _, a := range made {
		subjects = append(subjects, subject{a.name, digests{"sha256": a.sha256}})
		if a.built == nil {
			continue
		}
		for _, m := range a.built.Deps {
			if m.Replace != nil || m.Sum == "" {
				continue // the repository itself, by its replace directive
			}
			uri := "pkg:golang/" + m.Path + "@" + m.Version
			modules[uri] = dependency{uri, digests{"goModuleH1": m.Sum}}
		}
	}
	dependencies := []dependency{{repository + "@refs/tags/" + r.version, digests{"gitCommit": r.commit}}}
	for _, uri := range slices.Sorted(maps.Keys(modules)) {
		dependencies = append(dependencies, modules[uri])
	}
	statement := map[string]any{
		"_type":         "https://in-toto.io/Statement/v1",
		"subject":       subjects,
		"predicateType": "https://slsa.dev/provenance/v1",
		"predicate": map[string]any{
			"buildDefinition": map[string]any{
				"buildType": "https://github.com/ag-computational-bio/bakta-web-backend/blob/main/tools/release",
				"externalParameters": map[string]any{
					"version": r.version, "registry": r.registry, "images": r.images, "platforms": r.platforms,
				},
				"internalParameters":   map[string]any{"go": runtime.Version(), "host": runtime.GOOS + "/" + runtime.GOARCH},
				"resolvedDependencies": dependencies,
			},
			"runDetails": map[string]any{
				"builder": map[string]any{"id": builder()},
			},
		},
	}
	text, err := json.MarshalIndent(statement, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.files(), "provenance_"+r.version+".json"), append(text, '\n'), 0o644)
}

// builder names the run of a workflow, and otherwise says that a person's machine made the release.
func builder() string {
	if run := os.Getenv("GITHUB_RUN_ID"); run != "" {
		return os.Getenv("GITHUB_SERVER_URL") + "/" + os.Getenv("GITHUB_REPOSITORY") + "/actions/runs/" + run
	}
	return "https://github.com/ag-computational-bio/bakta-web-backend/blob/main/tools/release#unsigned-local-build"
}
