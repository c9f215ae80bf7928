package main

import (
	"context"

	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
	"github.com/ag-computational-bio/bakta-web-backend/local/stores/sqlite"
)

// openStore opens the store of local mode in a directory. The returned function closes it.
func openStore(ctx context.Context, dir string) (store.Jobs, func() error, error) {
	s, err := sqlite.Open(ctx, sqlite.Options{Dir: dir})
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}
