"""Write every dashboard to deploy/grafana/dashboards, from where Grafana provisions them."""

from deploy.grafana.documents import write

if __name__ == "__main__":
    write()
