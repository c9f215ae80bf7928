package stager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// serve runs the programs of stages that its stdin orders, one after the other: one line of JSON for each, see stage.Order. To start
// this process takes longer than to run a small program, so it serves many runs. It prints what `run --report` prints, and an
// empty line when the program has written output, a few in a second.
//
// No process of a program is left when the record of its end is printed. When stdin ends, or this process can't tell what became
// of a program, the program is killed and this process exits.
func (s Stager) serve(ctx context.Context, args []string) (int, error) {
	flags := s.flags("serve")
	if err := parse(flags, args, 0); err != nil {
		return 0, err
	}
	gone := make(chan struct{})
	orders := make(chan stage.Order)
	var unread error
	go func() {
		defer close(gone)
		in := json.NewDecoder(s.Stdin)
		for {
			var order stage.Order
			if unread = in.Decode(&order); unread != nil {
				return
			}
			select {
			case orders <- order:
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case order := <-orders:
			if err := s.fulfil(ctx, order, gone); err != nil {
				return 0, err
			}
		case <-gone:
			if ctx.Err() == nil && !errors.Is(unread, io.EOF) {
				return 0, fmt.Errorf("reading an order: %w", unread)
			}
			return Done, nil
		case <-ctx.Done():
			return Done, nil
		}
	}
}

// fulfil runs one program.
func (s Stager) fulfil(ctx context.Context, order stage.Order, gone <-chan struct{}) error {
	reported := &pulsed{to: s.Stdout}
	records := json.NewEncoder(reported)
	rec, err := stage.Run(ctx, order.Command, order.Dir, stage.Options{
		Environ: stage.Environment(s.Environ),
		Stdout:  beats{reported},
		Stderr:  beats{reported},
		Grace:   order.Grace,
		Limit:   order.Limit,
		Gone:    gone,
		Alone:   true,
		Fresh:   true,
		Note:    func(r stage.Record) { records.Encode(r) }, // the end is reported, too
	})
	reported.stop()
	if err != nil {
		return err
	}
	return records.Encode(rec)
}
