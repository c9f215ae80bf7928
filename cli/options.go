package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// options are the flags of the options and of the optional uploads, as the tables have them.
type options struct {
	texts    map[string]*string // of options, by their names
	numbers  map[string]*int64
	switches map[string]*bool
	files    map[string]*string // paths of optional uploads, by kind; empty: none
	names    []string           // of all these flags
}

// flags gives a command the flags.
func (o *options) flags(cmd *cobra.Command) { o.define(cmd, true) }

// flagsWithoutFiles gives a command the flags of the options.
func (o *options) flagsWithoutFiles(cmd *cobra.Command) { o.define(cmd, false) }

func (o *options) define(cmd *cobra.Command, files bool) {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.SortFlags = false
	o.texts, o.numbers, o.switches, o.files = make(
		map[string]*string,
	), make(
		map[string]*int64,
	), make(
		map[string]*bool,
	), make(
		map[string]*string,
	)
	var steps []option.Option // last: they are many
	for _, row := range option.Table() {
		switch row.Kind {
		case option.Text:
			o.texts[row.Name] = f.String(row.Flag, "", row.Help)
		case option.Number:
			o.numbers[row.Name] = f.Int64(row.Flag, 0, row.Help)
		case option.Switch:
			o.switches[row.Name] = f.Bool(row.Flag, false, row.Help)
		case option.Step:
			steps = append(steps, row)
		}
		if row.Default != "" {
			f.Lookup(row.Flag).DefValue = row.Default // for the help; what is not typed is not sent
		}
	}
	for _, row := range upload.Table() {
		if row.Flag != "" && files {
			o.files[row.Kind] = f.String(row.Flag, "", row.Help)
		}
	}
	for _, row := range steps {
		o.switches[row.Name] = f.Bool(row.Flag, false, row.Help)
	}
	f.VisitAll(func(flag *pflag.Flag) { o.names = append(o.names, flag.Name) })
	cmd.Flags().AddFlagSet(f)
	for _, row := range option.Table() {
		if len(row.Choices) > 0 {
			// It fails for a flag that does not exist, which the test of the completion would show.
			_ = cmd.RegisterFlagCompletionFunc(row.Flag, cobra.FixedCompletions(row.Spellings(), cobra.ShellCompDirectiveNoFileComp))
		}
	}
}

// nameOf returns the flag of an option, or the flag or the label of an upload, as refusals and lists name them.
func nameOf(u upload.Upload) string {
	if u.Flag != "" {
		return "--" + u.Flag
	}
	return "the " + u.Label
}

// spelling returns the flags by the names of options and the kinds of uploads.
func spelling() map[string]string {
	names := map[string]string{"skip": "--skip-…"}
	for _, row := range option.Table() {
		names[row.Name] = "--" + row.Flag
	}
	for _, row := range upload.Table() {
		names[row.Kind] = nameOf(row)
	}
	return names
}

// read returns the configuration of a workflow that the flags give, checked by Bakta's rules. changed reports which flags were
// typed: it is a mistake to type one that the workflow does not use.
func (o *options) read(w workflow.Workflow, changed func(flag string) bool) (option.Config, error) {
	if !ofGenomes(w) {
		return option.Config{}, o.refuse(w, changed)
	}
	config := option.Config{Use: make(map[string]bool)}
	for _, row := range option.Table() {
		value, err := o.value(row)
		if err != nil {
			return option.Config{}, err
		}
		row.Set(&config, value)
	}
	for kind, path := range o.files {
		config.Use[kind] = *path != ""
	}
	config = config.Normalise()
	if err := w.Validate(config); err != nil {
		return option.Config{}, &usageError{option.Respell(err, spelling())}
	}
	return config, nil
}

// ofGenomes reports whether a workflow annotates a genome. All options are about genomes.
func ofGenomes(w workflow.Workflow) bool {
	return slices.ContainsFunc(w.Uploads, func(u workflow.Upload) bool { return u.Kind == upload.GenomeFASTA })
}

// refuse returns an error if a flag was typed, for a workflow that has none of them.
func (o *options) refuse(w workflow.Workflow, changed func(flag string) bool) error {
	for _, flag := range o.names {
		if changed(flag) {
			return Usagef(
				"--%s: the workflow %s does not have this option; only workflows that annotate a genome do",
				flag,
				workflowName(w.Kind),
			)
		}
	}
	return nil
}

// over sets the options that were typed in a configuration.
func (o *options) over(config option.Config, changed func(flag string) bool) (option.Config, error) {
	for _, row := range option.Table() {
		if !changed(row.Flag) {
			continue
		}
		value, err := o.value(row)
		if err != nil {
			return option.Config{}, err
		}
		row.Set(&config, value)
	}
	return config, nil
}

// value returns the value of an option that its flag gives.
func (o *options) value(row option.Option) (option.Value, error) {
	switch row.Kind {
	case option.Text:
		value, err := row.Parse(*o.texts[row.Name])
		if err != nil {
			return value, Usagef("--%s: %w", row.Flag, err)
		}
		return value, nil
	case option.Number:
		return option.Value{Number: *o.numbers[row.Name]}, nil
	default:
		return option.Value{On: *o.switches[row.Name]}, nil
	}
}

// request returns a configuration in the terms of the API, whose JSON has the names of the tables.
func request(c option.Config) (client.Config, error) {
	fields := make(map[string]any)
	for _, row := range option.Table() {
		switch v := row.Get(c); {
		case row.Kind == option.Text && v.Text != "":
			fields[row.Name] = v.Text
		case row.Kind == option.Number && v.Number != 0:
			fields[row.Name] = json.Number(strconv.FormatInt(v.Number, 10))
		case v.On:
			fields[row.Name] = true
		}
	}
	for _, row := range upload.Table() {
		if row.Use != "" && c.Use[row.Kind] {
			fields[row.Use] = true
		}
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return client.Config{}, fmt.Errorf("writing the configuration: %w", err)
	}
	var config client.Config
	if err := json.Unmarshal(text, &config); err != nil {
		return client.Config{}, fmt.Errorf("writing the configuration: %w", err)
	}
	return config, nil
}

// configured is the reverse of request.
func configured(c client.Config) (option.Config, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return option.Config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return option.Config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	config := option.Config{Use: make(map[string]bool)}
	for _, row := range option.Table() {
		var v option.Value
		switch value := fields[row.Name].(type) {
		case string:
			v.Text = value
		case float64:
			v.Number = int64(value)
		case bool:
			v.On = value
		}
		row.Set(&config, v)
	}
	for _, row := range upload.Table() {
		if row.Use != "" {
			config.Use[row.Kind] = fields[row.Use] == true
		}
	}
	return config.Normalise(), nil
}
