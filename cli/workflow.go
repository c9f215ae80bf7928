package cli

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// workflowNames are what people call the workflows, by the API's names of them.
var workflowNames = map[string]string{
	workflow.Bakta:         "bakta",
	workflow.BaktaProteins: "proteins",
	workflow.Baktfold:      "baktfold",
	workflow.BaktaBaktfold: "bakta+baktfold",
}

// workflowName returns what people call a workflow. One that a newer server has is called as the server does.
func workflowName(kind string) string {
	if name, ok := workflowNames[kind]; ok {
		return name
	}
	return kind
}

// namedWorkflow returns the workflow that is called so by people, or by the API.
func namedWorkflow(name string) (workflow.Workflow, error) {
	wanted := strings.ToLower(strings.TrimSpace(name))
	for kind, known := range workflowNames {
		if wanted == known || strings.ReplaceAll(wanted, "-", "_") == kind {
			wanted = kind
		}
	}
	if w, ok := workflow.Lookup(wanted); ok {
		return w, nil
	}
	return workflow.Workflow{}, Usagef(
		"--workflow: %q is not valid; choose one of %s",
		name,
		strings.Join(slices.Sorted(maps.Values(workflowNames)), ", "),
	)
}

func (a *app) workflowsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "workflows",
		Short: "List what a server can do",
		Long: `List the workflows that a server offers, as submit --workflow names them: what
each takes, the files that may be given besides, and its stages.`,
		Example: `  bakta-web workflows
  bakta-web workflows --server https://bakta.example.org --json`,
		Args: Takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.workflows(cmd.Context()) },
	}
	a.jsonFlag(cmd)
	return cmd
}

// offer is a workflow in the JSON output of `workflows`.
type offer struct {
	Name string `json:"name"`
	client.Workflow
}

func (a *app) workflows(ctx context.Context) error {
	c, err := a.client(a.newServer())
	if err != nil {
		return err
	}
	known, err := c.Workflows(ctx)
	if err != nil {
		return err
	}
	if a.json {
		offers := []offer{}
		for _, w := range known {
			offers = append(offers, offer{workflowName(w.Kind), w})
		}
		return a.printJSON(offers)
	}
	rows := [][]string{{"WORKFLOW", "TAKES", "STAGES", "MORE FILES"}}
	for _, w := range known {
		var takes, more []string
		for _, u := range w.Uploads {
			row, known := upload.Lookup(u.Kind)
			switch {
			case u.Required && known:
				takes = append(takes, row.Short)
			case u.Required:
				takes = append(takes, shown(u.Kind))
			case known:
				more = append(more, nameOf(row))
			default:
				more = append(more, shown(u.Kind))
			}
		}
		row := []string{shown(workflowName(w.Kind)), strings.Join(takes, ", "), shown(strings.Join(w.Stages, ", ")), ""}
		// One to a line: a row with all of them is wider than a terminal.
		for i, file := range append(more, "")[:max(1, len(more))] {
			if i > 0 {
				row = make([]string, len(row))
			}
			row[len(row)-1] = file
			rows = append(rows, row)
		}
	}
	return tabled(a.out, rows)
}
