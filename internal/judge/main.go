package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// The verdicts of our start.
const (
	accepts = "accepts"
	warns   = "warns" // it accepts, and warns that the result may not be the intended one
	refuses = "refuses"
)

// finding contains the verdicts of our start and of the real programs on a variant.
type finding struct {
	name      string
	ours      string
	ourWords  string
	real      verdict
	realWords string
	outcome   outcome
}

//go:embed explained.md
var explainedText string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := judge(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(1)
	}
}

// judge judges the variants that the arguments choose.
func judge(ctx context.Context, args []string, to io.Writer) error {
	flags := flag.NewFlagSet("judge", flag.ExitOnError)
	chosen := flags.String("run", "", "regular expression of the names of variants to judge; empty: all")
	kind := flags.String("kind", "", "workflow of the variants to judge; empty: all")
	parallel := flags.Int("parallel", 2, "number of programs that run at the same time")
	list := flags.Bool("list", false, "only list the variants")
	lines := flags.String("lines", "", "regular expression of lines of the programs' output and results to show with each variant")
	kept := flags.Bool("kept", false,
		"run no program: judge only variants with the same command line and inputs as an outcome that is kept from an earlier run")
	oursAlone := flags.Bool("ours", false, "print only the verdicts of our start")
	keep := flags.String("keep", "", "directory to write the uploads of the variants to")
	_ = flags.Parse(args)
	pattern, err := regexp.Compile(*chosen)
	if err != nil {
		return err
	}
	shown, err := regexp.Compile(*lines)
	if err != nil {
		return err
	}
	rows, err := parseExplained(explainedText)
	if err != nil {
		return fmt.Errorf("explained.md: %w", err)
	}
	set, err := realbakta.Locate()
	if err != nil {
		return err
	}
	sample := newSample()
	made, err := pack(ctx, set, recipes(sample))
	if err != nil {
		return err
	}
	all, err := catalogue(sample, made)
	if err != nil {
		return err
	}
	var variants []variant
	for _, v := range all {
		if pattern.MatchString(v.name) && (*kind == "" || *kind == v.kind) {
			variants = append(variants, v)
		}
	}
	if *keep != "" {
		return write(*keep, variants)
	}
	if *list || *oursAlone {
		for _, v := range variants {
			words := ""
			if *oursAlone {
				_, warnings, refusal, err := start(ctx, v)
				if err != nil {
					return fmt.Errorf("%s: %w", v.name, err)
				}
				switch words = accepts; {
				case refusal != nil:
					words = refuses + ": " + refusal.Message
				case len(warnings) > 0:
					words = warns + ": " + texts(warnings)
				}
			}
			fmt.Fprintln(to, strings.TrimSpace(v.name+"  "+words))
		}
		return nil
	}
	findings, err := findings(ctx, set, filepath.Join(filepath.Dir(set.Prefix), "judge"), variants, *parallel, *kept)
	if err != nil {
		return err
	}
	if *lines != "" {
		for _, f := range findings {
			fmt.Fprintf(to, "%s\n%s", f.name, f.outcome.lines(shown))
		}
		return nil
	}
	return report(to, rows, findings, len(findings) == len(all))
}

// write writes the variants' uploads to files.
func write(dir string, variants []variant) error {
	for _, v := range variants {
		for _, u := range v.uploads {
			path := filepath.Join(dir, v.name, u.name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, u.content, 0o666)); err != nil {
				return err
			}
		}
	}
	return nil
}

// findings judges each variant by our start and by the real programs. It keeps the programs' outcomes in the directory
// cache; keptAlone omits variants without an outcome there.
func findings(ctx context.Context, set realbakta.Set, cache string, variants []variant, parallel int, keptAlone bool) ([]finding, error) {
	name, err := identity(set)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cache, 0o777); err != nil {
		return nil, err
	}
	found := make([]finding, len(variants))
	queue := make(chan int, len(variants))
	for i := range variants {
		queue <- i
	}
	close(queue)
	var done sync.Mutex
	count := 0
	group, ctx := errgroup.WithContext(ctx)
	for range parallel {
		group.Go(func() (err error) {
			r := &real{set: set, identity: name, cache: cache,
				baktfold: filepath.Join(set.Prefix, "bin", "baktfold"), baktfoldDB: filepath.Join(set.Prefix, "baktfold-db")}
			if !keptAlone {
				if r.server, err = newServer(ctx, set); err != nil {
					return err
				}
				defer func() { err = errors.Join(err, r.server.close()) }()
			}
			for i := range queue {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				f, err := both(ctx, r, variants[i])
				if errors.Is(err, errNotKept) {
					continue
				} else if err != nil {
					return fmt.Errorf("%s: %w", variants[i].name, err)
				}
				found[i] = f
				done.Lock()
				if count++; count%100 == 0 {
					fmt.Fprintf(os.Stderr, "judge: %d of %d\n", count, len(variants))
				}
				done.Unlock()
			}
			return nil
		})
	}
	err = group.Wait()
	return slices.DeleteFunc(found, func(f finding) bool { return f.name == "" }), err
}

// both judges a variant by our start and by the real programs.
func both(ctx context.Context, r *real, v variant) (finding, error) {
	f := finding{name: v.name, ours: accepts}
	d, warnings, refusal, err := start(ctx, v)
	if err != nil {
		return f, err
	}
	if len(warnings) > 0 {
		f.ours, f.ourWords = warns, texts(warnings)
	}
	if refusal != nil {
		f.ours, f.ourWords = refuses, refusal.Message
		if err := d.asGiven(v); err != nil {
			return f, err
		}
	}
	o, err := r.run(ctx, d, v, refusal != nil)
	if err != nil {
		return f, err
	}
	f.real, f.realWords = o.judge(v)
	f.outcome = o
	return f, nil
}

func texts(warnings []job.Warning) string {
	var all []string
	for _, w := range warnings {
		all = append(all, w.Message)
	}
	return strings.Join(all, " ")
}

// lines returns the lines of the outcome's texts that match a pattern.
func (o outcome) lines(pattern *regexp.Regexp) string {
	var b strings.Builder
	texts := []string{o.Output, o.Errors}
	for _, ending := range slices.Sorted(maps.Keys(o.Results)) {
		texts = append(texts, o.Results[ending])
	}
	for _, text := range texts {
		for line := range strings.Lines(text) {
			if pattern.MatchString(line) {
				b.WriteString("    " + strings.TrimSpace(line) + "\n")
			}
		}
	}
	return b.String()
}

// matches reports whether a text of the outcome matches a pattern.
func (o outcome) matches(pattern string) bool {
	p := regexp.MustCompile(pattern)
	if p.MatchString(o.Output) {
		return true
	}
	for _, text := range o.Results {
		if p.MatchString(text) {
			return true
		}
	}
	return false
}

// report prints the findings. It returns an error if a disagreement is not explained, or if an explained disagreement no
// longer exists.
func report(to io.Writer, rows []*explained, findings []finding, all bool) error {
	var agreed, known int
	var open []finding
	for _, f := range findings {
		_, isKnown := explain(rows, f)
		mark := "ok"
		switch {
		case agree(f.ours, f.real):
			agreed++
		case isKnown:
			known++
			mark = "explained"
		default:
			open = append(open, f)
			mark = "DIFFERS"
		}
		fmt.Fprintf(to, "%-9s  %-44s  %-7s  %-8s  %s\n", mark, f.name, f.ours, f.real, shortened(words(f)))
	}
	var outdated []*explained
	for _, e := range rows {
		if all && !e.used {
			outdated = append(outdated, e)
		}
	}
	fmt.Fprintf(to, "\n%d variants: %d agree, %d differ as explained.md says, %d differ otherwise\n", len(findings), agreed, known, len(open))
	for _, f := range open {
		fmt.Fprintf(to, "\n%s: our start %s, the program %s\n", f.name, f.ours, f.real)
		for _, line := range []string{f.ourWords, f.realWords} {
			if line != "" {
				fmt.Fprintln(to, "   ", line)
			}
		}
	}
	for _, e := range outdated {
		fmt.Fprintf(to, "\n%s: explained.md says that our start %s and the program %s, which is no longer true; delete or correct the row\n",
			e.pattern, e.ours, e.real)
	}
	if len(open)+len(outdated) > 0 {
		return fmt.Errorf("%d disagreements are not explained, %d explanations are outdated", len(open), len(outdated))
	}
	return nil
}

func words(f finding) string {
	return strings.Join(strings.Fields(strings.TrimSpace(f.ourWords+" / "+f.realWords)), " ")
}

func shortened(s string) string {
	const limit = 200
	if r := []rune(strings.Trim(s, " /")); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return strings.Trim(s, " /")
}
