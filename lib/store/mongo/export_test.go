package mongo

import (
	"reflect"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
)

// Monitored returns options with a monitor of all commands.
func Monitored(o Options, m *event.CommandMonitor) Options {
	o.monitor = m
	return o
}

// Clocked returns options of a process whose clock is that.
func Clocked(o Options, now func() time.Time) Options {
	o.now = now
	return o
}

// StoredFields returns the names, with dots, of all fields that documents of each collection have.
func StoredFields() map[string]map[string]bool {
	all := make(map[string]map[string]bool)
	for collection, document := range map[string]any{
		jobCollection: document{}, leaseCollection: lease{}, pastCollection: pastRuns{}, limitCollection: limitDocument{},
	} {
		all[collection] = make(map[string]bool)
		collect(all[collection], "", reflect.TypeOf(document))
	}
	return all
}

func collect(names map[string]bool, prefix string, t reflect.Type) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() {
		return
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("bson"), ",")
		if name == "" {
			panic(t.String() + "." + f.Name + " has no name of its own in the store")
		}
		names[prefix+name] = true
		collect(names, prefix+name+".", f.Type)
	}
}
