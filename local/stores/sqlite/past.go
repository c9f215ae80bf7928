package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// pastRun is a past run as it is stored: times are milliseconds.
type pastRun struct {
	Took int64 `json:"took"`
	At   int64 `json:"at"`
}

var addPastRun = fmt.Sprintf(`INSERT INTO past_runs (class, runs) VALUES (?1, json_array(json(?2)))
	ON CONFLICT (class) DO UPDATE SET runs = json_insert(
		CASE WHEN json_array_length(runs) < %d THEN runs ELSE json_remove(runs, '$[0]') END, '$[#]', json(?2))`, job.MaxPastRuns)

// AddPastRun implements store.PastRuns.
func (s *Store) AddPastRun(ctx context.Context, class string, r job.PastRun) error {
	_, err := s.write(ctx, "recording a past run", addPastRun, class, encode(pastRun{r.Took.Milliseconds(), r.At.UnixMilli()}))
	return err
}

// PastRuns implements store.PastRuns.
func (s *Store) PastRuns(ctx context.Context, classes []string) (map[string][]job.PastRun, error) {
	if len(classes) == 0 {
		return nil, nil
	}
	past := make(map[string][]job.PastRun)
	err := s.read(ctx, "reading past runs", "SELECT class, runs FROM past_runs WHERE class IN (SELECT value FROM json_each(?))",
		func(rows *sql.Rows) error {
			var class, content string
			if err := rows.Scan(&class, &content); err != nil {
				return err
			}
			var runs []pastRun
			if err := json.Unmarshal([]byte(content), &runs); err != nil {
				return err
			}
			for _, r := range runs {
				past[class] = append(past[class], job.PastRun{Took: time.Duration(r.Took) * time.Millisecond, At: time.UnixMilli(r.At).UTC()})
			}
			return nil
		}, encode(classes))
	if err != nil {
		return nil, err
	}
	return past, nil
}
