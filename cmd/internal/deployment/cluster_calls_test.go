//go:build e2e

package deployment_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const genome = ">contig_1\nATGACGTACGTTAGCATCGATCGATCGACTAGCTAGCATCGATCAGCTACGACTAGCATCAGCATCGACTACGACTAA\n"

// call makes a call of the API's first version. It returns the status and the response.
func (b *backend) call(function, method, path string, body any) (int, map[string]any) {
	b.Helper()
	content, err := json.Marshal(body)
	must(b.TB, err)
	request, err := http.NewRequestWithContext(b.Context(), method, b.urls[function]+"/api/v1"+path, bytes.NewReader(content))
	must(b.TB, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := b.client.Do(request)
	must(b.TB, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(b.TB, err)
	answer := map[string]any{}
	if err := json.Unmarshal(text, &answer); err != nil {
		answer["text"] = string(text)
	}
	return response.StatusCode, answer
}

// ref is the ID and the secret of a job.
type ref struct {
	ID     string `json:"jobID"`
	Secret string `json:"secret"`
}

// create creates a job and uploads a small genome.
func (b *backend) create() ref { return b.createWith(genome) }

func (b *backend) createWith(genome string) ref {
	b.Helper()
	status, made := b.call("submit", http.MethodPost, "/job/init", map[string]string{"name": "a test", "repliconTableType": "TSV"})
	if status != http.StatusOK {
		b.Fatalf("init: %d %v", status, made)
	}
	auth := made["job"].(map[string]any)
	r := ref{ID: auth["jobID"].(string), Secret: auth["secret"].(string)}
	request, err := http.NewRequestWithContext(b.Context(), http.MethodPut, made["uploadLinkFasta"].(string), strings.NewReader(genome))
	must(b.TB, err)
	response, err := http.DefaultClient.Do(request)
	must(b.TB, err)
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		b.Fatalf("upload: %s", response.Status)
	}
	return r
}

func (b *backend) startJob(strain string) ref {
	b.Helper()
	r := b.create()
	b.begin(r, strain)
	return r
}

// begin starts a job that was created.
func (b *backend) begin(r ref, strain string) {
	b.Helper()
	config := map[string]any{"strain": strain}
	if status, answer := b.call("submit", http.MethodPost, "/job/start", map[string]any{"job": r, "config": config}); status != http.StatusOK {
		b.Errorf("start: %d %v", status, answer)
	}
}

func (b *backend) status(r ref) string {
	b.Helper()
	code, answer := b.call("status", http.MethodPost, "/job/list", map[string]any{"jobs": []ref{r}})
	list, _ := answer["jobs"].([]any)
	if code != http.StatusOK || len(list) != 1 {
		return fmt.Sprintf("%d %v", code, answer)
	}
	return list[0].(map[string]any)["jobStatus"].(string)
}

// end waits for the end of a job and returns its status, and the reason if it failed.
func (b *backend) end(r ref) (status, reason string) {
	b.Helper()
	b.wait("the end of "+r.ID, func() bool {
		status = b.status(r)
		return status != "INIT" && status != "RUNNING"
	})
	code, answer := b.call("status", http.MethodPost, "/job/result", r)
	if status == "ERROR" {
		if code/100 != 4 {
			b.Errorf("the result of a failed job: %d %v", code, answer)
		}
		reason, _ = answer["message"].(string)
		return status, reason
	}
	files, _ := answer["ResultFiles"].(map[string]any)
	for _, key := range []string{"JSON", "GFF3", "TSV"} {
		link, _ := files[key].(string)
		request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, link, nil)
		must(b.TB, err)
		response, err := http.DefaultClient.Do(request)
		must(b.TB, err)
		content, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || len(content) == 0 {
			b.Errorf("%s: %s, %d bytes, %v", key, response.Status, len(content), err)
		}
	}
	return status, ""
}

func (b *backend) logs(r ref) string {
	b.Helper()
	_, answer := b.call("status", http.MethodGet, "/job/logs?jobID="+r.ID+"&secret="+r.Secret, nil)
	text, _ := answer["text"].(string)
	return text
}
