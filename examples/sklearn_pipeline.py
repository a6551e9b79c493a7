"""Equilibrium propagation as the last step of a scikit-learn pipeline, tuned by cross-validation."""

from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from isingeq.interop import EPClassifier

x, y = load_wine(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, stratify=y, random_state=0)

# Features act as fields on units in [0, 1], so they are brought to that scale.
pipeline = make_pipeline(MinMaxScaler(), EPClassifier(hidden=(32,), rate=1e-2, epochs=20))
search = GridSearchCV(
    pipeline,
    {"epclassifier__nudging": [0.03, 0.3], "epclassifier__backend": ["conjugate", "hopfield"]},
    cv=3,
)
search.fit(x_train, y_train)

for setting, score in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    print(f"{score:.3f} {setting}")
print(f"test accuracy {search.score(x_test, y_test):.3f}")
