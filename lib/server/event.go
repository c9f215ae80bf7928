package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Event has those attributes of a CloudEvent that handlers read. Its data is not kept: an event is only a hint.
type Event struct {
	ID, Source, Type string // not empty
	Subject          string // empty: the event has none
}

// Content types of events.
const (
	eventType  = "application/cloudevents+json"       // structured mode
	batchType  = "application/cloudevents-batch+json" // not accepted
	attributed = "Ce-"                                // what names of headers begin with in binary mode
)

// readEvent reads the event of a request whose body is in memory: of the versions 1.0 and 0.3 of CloudEvents, in the modes of its binding
// to HTTP. It accepts what the CloudEvents SDK for Go accepts. The SDK itself would add a logger, a second JSON library, and a megabyte to
// each program.
func readEvent(r *http.Request) (Event, error) {
	attributes := make(map[string]string)
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch kind = strings.ToLower(strings.TrimSpace(kind)); {
	case kind == eventType:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return Event{}, fmt.Errorf("reading the event: %w", err)
		}
		if err := fromJSON(body, attributes); err != nil {
			return Event{}, err
		}
	case kind == batchType || r.Header.Get(attributed+"Specversion") == "":
		return Event{}, errors.New("the request is not a CloudEvent in binary or structured mode")
	default:
		for header, values := range r.Header {
			if name, ok := strings.CutPrefix(header, attributed); ok {
				attributes[strings.ToLower(name)] = values[0]
			}
		}
		if kind != "" {
			attributes["datacontenttype"] = r.Header.Get("Content-Type")
		}
	}
	if err := checkEvent(attributes); err != nil {
		return Event{}, fmt.Errorf("the CloudEvent is not valid: %w", err)
	}
	return Event{attributes["id"], attributes["source"], attributes["type"], attributes["subject"]}, nil
}

// fromJSON reads the attributes of an event in structured mode. Those of the standard are strings, extensions may be numbers and Booleans.
func fromJSON(body []byte, attributes map[string]string) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return errors.New("the request is not a CloudEvent in binary or structured mode: its content is not a JSON object")
	}
	for name, raw := range members {
		if name == "data" || name == "data_base64" {
			continue
		}
		var value any
		if err := json.Unmarshal(raw, &value); err != nil {
			return err // can't be: the object was read
		}
		switch value := value.(type) {
		case nil: // like an absent one
		case string:
			if value != "" || name != "time" { // the SDK takes an empty time for an absent one
				attributes[name] = value
			}
		case bool, float64:
			if standard[name] {
				return fmt.Errorf("the CloudEvent is not valid: its attribute %s is not a string", name)
			}
			attributes[name] = string(raw)
		default:
			return fmt.Errorf("the CloudEvent is not valid: its attribute %s is an array or an object", name)
		}
	}
	return nil
}

// standard are the attributes that the standard names.
var standard = map[string]bool{
	"specversion": true, "id": true, "source": true, "type": true, "subject": true, "time": true, "datacontenttype": true,
	"dataschema": true, "schemaurl": true, "datacontentencoding": true,
}

// checkEvent returns an error unless the attributes are those of a valid event.
func checkEvent(attributes map[string]string) error {
	if version := attributes["specversion"]; version != "1.0" && version != "0.3" {
		return errors.New("its specversion is neither 1.0 nor 0.3")
	}
	for _, name := range []string{"id", "source", "type"} {
		if strings.TrimSpace(attributes[name]) == "" {
			return fmt.Errorf("it has no %s", name)
		}
	}
	for name, value := range attributes {
		var err error
		switch name {
		case "source":
			_, err = url.Parse(value)
		case "time":
			_, err = time.Parse(time.RFC3339Nano, value)
		case "datacontenttype":
			_, _, err = mime.ParseMediaType(value)
		}
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" || name == "" {
			return fmt.Errorf("the name of its attribute %q has other characters than letters and digits", name)
		}
		if err != nil {
			return fmt.Errorf("its attribute %s is malformed", name)
		}
	}
	return nil
}
