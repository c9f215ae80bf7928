package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os/exec"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
)

//go:embed pack.py
var packScript []byte

// packed is content that Python libraries create, by its name.
type packed map[string][]byte

// recipe describes content to create.
type recipe struct {
	Make   string `json:"make"`
	Data   []byte `json:"data"`
	Preset int    `json:"preset,omitempty"`
	Check  string `json:"check,omitempty"`
	X86    bool   `json:"x86,omitempty"`
	Table  int    `json:"table,omitempty"`
}

// pack creates the content of recipes.
func pack(ctx context.Context, set realbakta.Set, recipes map[string]recipe) (packed, error) {
	in, err := json.Marshal(recipes)
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, set.Python, "-c", string(packScript))
	c.Stdin = bytes.NewReader(in)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("creating compressed files: %w\n%s", err, stderr.Bytes())
	}
	var made packed
	return made, json.Unmarshal(stdout.Bytes(), &made)
}
