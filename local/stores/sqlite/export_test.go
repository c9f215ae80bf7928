package sqlite

import (
	"database/sql"
	"maps"
	"slices"
)

// Statements returns the text of each statement that the store has prepared.
func (s *Store) Statements() []string {
	return slices.Concat(slices.Collect(maps.Keys(s.writer.prepared)), slices.Collect(maps.Keys(s.reader.prepared)))
}

// Writer returns the connection that writes.
func (s *Store) Writer() *sql.DB { return s.writer.db }
