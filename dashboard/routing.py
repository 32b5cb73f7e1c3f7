"""WebSocket routes."""

from django.urls import path

from dashboard.consumers import PreviewConsumer
from dashboard.evaluation.socket import EvaluationConsumer

websocket_urlpatterns = [
    path("ws/preview", PreviewConsumer.as_asgi()),
    path("ws/evaluations", EvaluationConsumer.as_asgi()),
]
